-- Names this database for good: told apart from every other one, also from one made anew in its place.
CREATE TABLE identity (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    uuid            TEXT NOT NULL,
    -- Records whose numbers were given out and that were not there when they were to be filed.
    records_missing INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A random UUID (version 4).
INSERT INTO identity (one, uuid)
SELECT 1, substr(x, 1, 8) || '-' || substr(x, 9, 4) || '-4' || substr(x, 14, 3) || '-'
    || substr('89ab', 1 + (random() & 3), 1) || substr(x, 18, 3) || '-' || substr(x, 21, 12)
FROM (SELECT lower(hex(randomblob(16))) AS x);

-- The snapshot before the current one: with the records after it, what a graph is read from when the current one is damaged.
ALTER TABLE graphs ADD COLUMN previous_snapshot INTEGER;

-- 1: it is to be kept as a version, and never takes the place of records.
ALTER TABLE snapshots ADD COLUMN for_version INTEGER NOT NULL DEFAULT 0 CHECK (for_version IN (0, 1));

-- CRC-32 over the row and the checksums of its slices, so that a slice of another snapshot is noticed. Snapshots from before
-- have none.
ALTER TABLE snapshots ADD COLUMN crc INTEGER;

CREATE TABLE versions (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    graph    INTEGER NOT NULL REFERENCES graphs (key),
    snapshot INTEGER NOT NULL UNIQUE REFERENCES snapshots (id),
    -- The newest record of the graph that the version contains.
    covers   INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    name     TEXT,
    author   TEXT,
    at       INTEGER NOT NULL,
    -- CRC-32 over all the other columns.
    crc      INTEGER NOT NULL
) STRICT;

CREATE INDEX versions_by_graph ON versions (graph, id);
