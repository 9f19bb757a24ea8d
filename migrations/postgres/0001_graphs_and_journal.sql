-- Times are microseconds since 1970 UTC, by the clocks of the programs. `crc` columns are CRC-32 over the row's place and its
-- data, so that bytes that changed and rows that moved are both noticed.

-- One row: names this database for good.
CREATE TABLE store (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    identity uuid    NOT NULL DEFAULT gen_random_uuid()
);

INSERT INTO store DEFAULT VALUES;

CREATE TABLE graphs (
    key               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Compared byte by byte, on every server alike: the order of a listing must not follow a language.
    id                text COLLATE "C" NOT NULL UNIQUE,
    topic             text             NOT NULL,
    created_at        bigint           NOT NULL,
    modified_at       bigint           NOT NULL,
    -- Set: a tombstone. The row stays so that the id is not given out again.
    deleted_at        bigint,
    -- Number of the newest record. Records of one graph are numbered from 1 without gaps, under this row's lock.
    records           bigint           NOT NULL DEFAULT 0,
    -- The current snapshot and the one before it. No foreign keys: they would make every delete of a snapshot scan this table.
    snapshot          bigint,
    previous_snapshot bigint
) WITH (fillfactor = 80);

-- One page of the listing is one range of this index.
CREATE INDEX graphs_by_modified ON graphs (modified_at DESC, id ASC) WHERE deleted_at IS NULL;

CREATE TABLE journal (
    -- No foreign key: an append has locked the graph's row, and asking again for each record would cost more than writing it.
    graph bigint NOT NULL,
    id    bigint NOT NULL,
    at    bigint NOT NULL,
    crc   bigint NOT NULL,
    data  bytea  NOT NULL,
    PRIMARY KEY (graph, id)
);

CREATE TABLE snapshots (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    graph    bigint      NOT NULL REFERENCES graphs (key),
    -- The newest record of the graph that the snapshot contains.
    covers   bigint      NOT NULL,
    -- Whether it is to be kept as a version, and not to take the place of records.
    for_version boolean  NOT NULL,
    slices   bigint      NOT NULL DEFAULT 0,
    bytes    bigint      NOT NULL DEFAULT 0,
    -- `doomed`: nothing needs it, and nobody may write to it; its rows are being removed.
    state    text        NOT NULL DEFAULT 'writing' CHECK (state IN ('writing', 'complete', 'doomed')),
    -- By this server's clock, which all nodes share.
    begun_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX snapshots_by_graph ON snapshots (graph, id);

CREATE TABLE snapshot_slices (
    snapshot bigint NOT NULL REFERENCES snapshots (id),
    idx      bigint NOT NULL,
    crc      bigint NOT NULL,
    data     bytea  NOT NULL,
    PRIMARY KEY (snapshot, idx)
);

CREATE TABLE versions (
    -- Given out under the lock of the graph's row: a later version of a graph has a larger number.
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    graph    bigint NOT NULL REFERENCES graphs (key),
    snapshot bigint NOT NULL UNIQUE REFERENCES snapshots (id),
    kind     text   NOT NULL CHECK (kind IN ('named', 'automatic', 'before_restore')),
    name     text,
    author   text,
    at       bigint NOT NULL
);

CREATE INDEX versions_by_graph ON versions (graph, id);

-- Updates are packed already, and compressing them would keep commits waiting: large values go out of line as they are.
ALTER TABLE journal ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE snapshot_slices ALTER COLUMN data SET STORAGE EXTERNAL;
