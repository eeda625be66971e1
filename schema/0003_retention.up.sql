-- Retention: when a slot was taken, so that it can go some day.

-- Slots of before get the moment of this migration: they only stay a little longer.
ALTER TABLE ordinaut.slot ADD COLUMN created_at timestamptz NOT NULL DEFAULT ordinaut.now();
COMMENT ON COLUMN ordinaut.slot.created_at IS 'When it was taken, in the transaction that made its run. After retention the janitor asks whether the run is still there.';
CREATE INDEX slot_created ON ordinaut.slot USING brin (created_at)
    WITH (pages_per_range = 32, autosummarize = on);
COMMENT ON INDEX ordinaut.slot_created IS 'The janitor''s question: slots of a span of time. Tiny, as slots are written in the order of time.';
