-- Slots stay for good again.
DROP INDEX ordinaut.slot_created;
ALTER TABLE ordinaut.slot DROP COLUMN created_at;
