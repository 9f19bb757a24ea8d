-- Jobs of the AI: a queue under leases that any node takes from, and a record of what was done until it is trimmed by age.
CREATE TABLE jobs (
    -- A UUID of version 7: a later job has a larger one.
    id               text COLLATE "C" PRIMARY KEY,
    -- The map's public id. No foreign key: a map may be deleted, and is made only after the job for it was asked for.
    graph            text COLLATE "C" NOT NULL,
    kind             text             NOT NULL CHECK (kind IN ('generate', 'expand', 'coherence')),
    -- Empty: somebody without a name.
    client           text COLLATE "C" NOT NULL,
    -- The client's own name for the request, and a hash of what was asked.
    idempotency_name text COLLATE "C",
    idempotency_hash text,
    status           text             NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    progress         double precision NOT NULL DEFAULT 0,
    stop_asked       boolean          NOT NULL DEFAULT false,
    attempts         integer          NOT NULL DEFAULT 0,
    -- Rises with each lease.
    fence            bigint           NOT NULL DEFAULT 0,
    -- Which run of the program had it last, and until when if nothing renews the lease: by this server's clock, which all
    -- nodes share.
    node             text,
    lease_ends       timestamptz,
    created_at       bigint           NOT NULL,
    updated_at       bigint           NOT NULL,
    ended_at         bigint,
    revision         bigint           NOT NULL DEFAULT 1,
    request          text             NOT NULL,
    state            text             NOT NULL DEFAULT '',
    result           text,
    error            text,
    CHECK ((idempotency_name IS NULL) = (idempotency_hash IS NULL)),
    CHECK ((lease_ends IS NOT NULL) = (status = 'running')),
    CHECK ((ended_at IS NULL) = (status IN ('queued', 'running')))
) WITH (fillfactor = 80);

-- The queue and what runs, in the order in which they are taken. No index holds a time of a lease: renewing one must not
-- write to them.
CREATE INDEX jobs_by_turn ON jobs (created_at, id) WHERE ended_at IS NULL;
CREATE INDEX jobs_running_by_client ON jobs (client) WHERE status = 'running';
CREATE INDEX jobs_running_by_graph ON jobs (graph) WHERE status = 'running';
CREATE INDEX jobs_by_graph ON jobs (graph, id);
CREATE INDEX jobs_by_end ON jobs (ended_at) WHERE ended_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_by_idempotency ON jobs (client, idempotency_name) WHERE idempotency_name IS NOT NULL;

-- What was used up on a day by a client and in a map.
CREATE TABLE ai_spending (
    -- Days since 1970-01-01 UTC.
    day           bigint           NOT NULL,
    kind          text             NOT NULL CHECK (kind IN ('user', 'graph')),
    name          text COLLATE "C" NOT NULL,
    tokens        bigint           NOT NULL,
    micro_dollars bigint           NOT NULL,
    PRIMARY KEY (day, kind, name)
) WITH (fillfactor = 80);
