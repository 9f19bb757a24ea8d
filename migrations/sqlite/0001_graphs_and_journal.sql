-- Times are microseconds since 1970 UTC. `crc` columns are CRC-32 over the row's place and its data,
-- so that bytes that changed and rows that moved are both noticed.

CREATE TABLE graphs (
    -- AUTOINCREMENT here and below: an id is never given out twice, even after its row is gone.
    key         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    topic       TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    -- Set: a tombstone. The row stays so that the id is not given out again.
    deleted_at  INTEGER,
    -- Records ever appended. Snapshot and tail must add up to it: a damaged index hides rows, and no checksum notices.
    records     INTEGER NOT NULL DEFAULT 0,
    -- The current snapshot. No foreign key: it would make every delete of a snapshot scan this table.
    snapshot    INTEGER
) STRICT;

-- One page of the listing is one range of this index.
CREATE INDEX graphs_by_modified ON graphs (modified_at DESC, id ASC) WHERE deleted_at IS NULL;

CREATE TABLE updates (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    graph INTEGER NOT NULL REFERENCES graphs (key),
    at    INTEGER NOT NULL,
    crc   INTEGER NOT NULL,
    -- The map's new topic, when this record changed it.
    topic TEXT,
    data  BLOB NOT NULL
) STRICT;

CREATE INDEX updates_by_graph ON updates (graph, id);

-- A trigger rather than a second statement: an append stays one statement in its own commit.
CREATE TRIGGER updates_touch_graph AFTER INSERT ON updates BEGIN
    UPDATE graphs
    SET modified_at = NEW.at, topic = coalesce(NEW.topic, topic), records = records + 1
    WHERE key = NEW.graph AND deleted_at IS NULL;
END;

CREATE TABLE snapshots (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    graph    INTEGER NOT NULL REFERENCES graphs (key),
    -- The newest record of the graph that the snapshot contains.
    covers   INTEGER NOT NULL,
    -- How many of the graph's records that are, the deleted ones included.
    records  INTEGER NOT NULL,
    slices   INTEGER NOT NULL DEFAULT 0,
    bytes    INTEGER NOT NULL DEFAULT 0,
    complete INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1))
) STRICT;

CREATE INDEX snapshots_by_graph ON snapshots (graph, id);

CREATE TABLE snapshot_slices (
    snapshot INTEGER NOT NULL REFERENCES snapshots (id),
    idx      INTEGER NOT NULL,
    crc      INTEGER NOT NULL,
    data     BLOB NOT NULL,
    UNIQUE (snapshot, idx)
) STRICT;
