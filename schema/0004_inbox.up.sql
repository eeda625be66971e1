-- Inboxes and events: what agents and their runs tell one another, each with its row in the outbox.
-- An instant that Python cannot read would spoil every list: it is refused here.

CREATE TABLE ordinaut.message (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner      text NOT NULL REFERENCES ordinaut.agent (name),
    sender     text NOT NULL REFERENCES ordinaut.agent (name),
    run_id     bigint,
    key        text,
    text       text NOT NULL,
    data       jsonb,
    size       integer NOT NULL CHECK (size >= 0),
    digest     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT ordinaut.now()
               CHECK (created_at BETWEEN '0001-01-02 UTC' AND '9999-12-30 UTC'),
    deliver_at timestamptz NOT NULL CHECK (deliver_at BETWEEN '0001-01-02 UTC' AND '9999-12-30 UTC'),
    read_at    timestamptz CHECK (read_at BETWEEN '0001-01-02 UTC' AND '9999-12-30 UTC'),
    acked_at   timestamptz CHECK (acked_at BETWEEN '0001-01-02 UTC' AND '9999-12-30 UTC')
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE ordinaut.message IS 'Inboxes: what one agent, or one of its runs, wrote to another agent or to itself.';
COMMENT ON COLUMN ordinaut.message.owner IS 'Whose inbox it is in; nobody else reads it.';
COMMENT ON COLUMN ordinaut.message.sender IS 'Who wrote it, as the session or the run''s owner says, never an argument.';
COMMENT ON COLUMN ordinaut.message.run_id IS 'The run whose step sent it; NULL: the agent itself. No foreign key: partitions of runs are dropped.';
COMMENT ON COLUMN ordinaut.message.key IS 'The sender''s own name for it, or the idempotency key of the step; NULL: none.';
COMMENT ON COLUMN ordinaut.message.size IS 'Bytes of text and data as JSON: an answer holds only so many.';
COMMENT ON COLUMN ordinaut.message.digest IS 'sha256 of what was asked: the same key with another one is a conflict.';
COMMENT ON COLUMN ordinaut.message.deliver_at IS 'Not shown before; the order of the inbox.';
COMMENT ON COLUMN ordinaut.message.read_at IS 'When its reader was first given it; NULL: not yet.';
COMMENT ON COLUMN ordinaut.message.acked_at IS 'When its reader had dealt with it; NULL: it is shown again.';
CREATE INDEX message_open ON ordinaut.message (owner, deliver_at, id) WHERE acked_at IS NULL;
COMMENT ON INDEX ordinaut.message_open IS 'read_inbox: what an agent has not dealt with, the oldest first.';
CREATE UNIQUE INDEX message_once ON ordinaut.message (sender, run_id, key) NULLS NOT DISTINCT
    WHERE key IS NOT NULL;
COMMENT ON INDEX ordinaut.message_once IS 'One message for each key of a sender, and for each step of a run.';

CREATE TABLE ordinaut.event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner      text NOT NULL REFERENCES ordinaut.agent (name),
    run_id     bigint,
    topic      text COLLATE "C" NOT NULL CHECK (topic <> ''),
    key        text,
    data       jsonb NOT NULL DEFAULT '{}',
    size       integer NOT NULL CHECK (size >= 0),
    digest     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT ordinaut.now()
               CHECK (created_at BETWEEN '0001-01-02 UTC' AND '9999-12-30 UTC')
);
COMMENT ON TABLE ordinaut.event IS 'What agents and their runs published; the outbox has a row for each. Events of the product itself are in the outbox only.';
COMMENT ON COLUMN ordinaut.event.id IS 'Of one owner in the order of commits: whoever has seen one has missed none before it.';
COMMENT ON COLUMN ordinaut.event.run_id IS 'The run whose step published it; NULL: the agent itself.';
COMMENT ON COLUMN ordinaut.event.topic IS 'Dotted lower-case parts, from the general to the particular.';
COMMENT ON COLUMN ordinaut.event.key IS 'The publisher''s own name for it, or the idempotency key of the step; NULL: none.';
COMMENT ON COLUMN ordinaut.event.size IS 'Bytes of data as JSON: an answer holds only so many.';
COMMENT ON COLUMN ordinaut.event.digest IS 'sha256 of what was asked: the same key with another one is a conflict.';
CREATE INDEX event_recent ON ordinaut.event (owner, id);
COMMENT ON INDEX ordinaut.event_recent IS 'list_events: what an agent published, in order.';
CREATE INDEX event_topic ON ordinaut.event (owner, topic, id);
COMMENT ON INDEX ordinaut.event_topic IS 'list_events by topic, or by the parts that a topic begins with.';
CREATE UNIQUE INDEX event_once ON ordinaut.event (owner, run_id, key) NULLS NOT DISTINCT
    WHERE key IS NOT NULL;
COMMENT ON INDEX ordinaut.event_once IS 'One event for each key of an owner, and for each step of a run.';
