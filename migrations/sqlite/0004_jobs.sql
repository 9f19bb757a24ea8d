-- Jobs of the AI: a queue under leases, and a record of what was done until it is trimmed by age.
CREATE TABLE jobs (
    -- A UUID of version 7: a later job has a larger one.
    id          TEXT NOT NULL PRIMARY KEY,
    -- The map's public id. No foreign key: a map may be deleted, and is made only after the job for it was asked for.
    graph       TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('generate', 'expand', 'coherence')),
    -- Empty: somebody without a name.
    client      TEXT NOT NULL,
    -- The client's own name for the request, and a hash of what was asked.
    idempotency_name TEXT,
    idempotency_hash TEXT,
    status      TEXT NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    progress    REAL NOT NULL DEFAULT 0,
    stop_asked  INTEGER NOT NULL DEFAULT 0 CHECK (stop_asked IN (0, 1)),
    attempts    INTEGER NOT NULL DEFAULT 0,
    -- Rises with each lease.
    fence       INTEGER NOT NULL DEFAULT 0,
    -- Which run of the program had it last, and until when if nothing renews the lease.
    node        TEXT,
    lease_ends  INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    revision    INTEGER NOT NULL DEFAULT 1,
    -- The long ones last: what is before them is read without them.
    request     TEXT NOT NULL,
    state       TEXT NOT NULL DEFAULT '',
    result      TEXT,
    error       TEXT,
    CHECK ((idempotency_name IS NULL) = (idempotency_hash IS NULL)),
    CHECK ((lease_ends IS NOT NULL) = (status = 'running')),
    CHECK ((ended_at IS NULL) = (status IN ('queued', 'running')))
) STRICT;

-- The queue and what runs, in the order in which they are taken.
CREATE INDEX jobs_by_turn ON jobs (created_at, id, status) WHERE ended_at IS NULL;
CREATE INDEX jobs_running_by_client ON jobs (client, lease_ends) WHERE status = 'running';
CREATE INDEX jobs_running_by_graph ON jobs (graph, lease_ends) WHERE status = 'running';
CREATE INDEX jobs_by_graph ON jobs (graph, id);
CREATE INDEX jobs_by_end ON jobs (ended_at) WHERE ended_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_by_idempotency ON jobs (client, idempotency_name) WHERE idempotency_name IS NOT NULL;

-- What was used up on a day by a client and in a map.
CREATE TABLE ai_spending (
    -- Days since 1970-01-01 UTC.
    day           INTEGER NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('user', 'graph')),
    name          TEXT NOT NULL,
    tokens        INTEGER NOT NULL,
    micro_dollars INTEGER NOT NULL,
    PRIMARY KEY (day, kind, name)
) STRICT, WITHOUT ROWID;
