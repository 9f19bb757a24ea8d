//! The limits of the protocol itself, each with the reason for its size.
//!
//! Limits that an operator may change are defaults here and are read from the configuration by the server;
//! the others follow from the formats and cannot be changed.

/// Bytes of one message other than a `SyncStep2`: a pasted paragraph fits, a pasted video does not. Default.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Bytes of one `SyncStep2`, because a map that was edited offline for weeks arrives as a single one. Default.
pub const SYNC_BYTES_MAX: usize = 16 << 20;

/// Bytes of the JSON state of one awareness entry: a name, a colour, a cursor and a selection need far less,
/// and every byte of it is sent to every viewer of the room. Default.
pub const AWARENESS_STATE_BYTES_MAX: usize = 16 << 10;

/// Levels of arrays and objects within one value. Some thousand levels overflow the stack of a recursive
/// reader, here and in browsers; people nest fewer than ten.
pub const NESTING_MAX: u32 = 64;

/// Shared types within each other, below a root type. yrs deletes by recursion, some thousand levels of which overflow a
/// stack, here and in browsers; a rich-text document nests fewer than twenty. Below 127: the gate counts in seven bits.
pub const SHARED_TYPE_NESTING_MAX: u8 = 100;

/// Clients that one update names without any content, in its sections and again in its delete set. No Yjs client
/// writes such entries, and yrs steps over each section without content by recursion.
pub const EMPTY_ENTRIES_MAX: usize = 64;

/// Structs and delete ranges of one update from a client. Each becomes a block of about 250 bytes in memory, or splits one,
/// while the shortest takes three bytes on the wire; 16 MiB of real maps hold about 900,000.
pub const UPDATE_PARTS_MAX: usize = 1_000_000;

/// Clients that one update from a client names: every browser tab that ever edited a map is one.
pub const UPDATE_CLIENTS_MAX: usize = 1 << 16;

/// Blocks of one document: 500 MB in memory. A map of 100,000 nodes, each with title, summary and place, has 1.2 million.
pub const DOCUMENT_STRUCTS_MAX: usize = 2_000_000;

/// Clients that ever edited one document. Each costs some bytes in every state vector, which everybody who comes in is
/// sent, and time in every transaction.
pub const DOCUMENT_CLIENTS_MAX: usize = 100_000;

/// Entries of one awareness message. A client tells of all that it has heard of at once, and of those who have gone: twice
/// as many as a room shows.
pub const AWARENESS_ENTRIES_MAX: usize = 8_192;

/// Bytes of a graph id: it stands in URLs, file names and log fields.
pub const GRAPH_ID_BYTES_MAX: usize = 128;

/// Bytes of the reason in a close frame: RFC 6455 allows 125 bytes for a control frame, two hold the code.
pub const CLOSE_REASON_BYTES_MAX: usize = 123;

/// The highest clock, one past the last element of a client: yrs compares clocks as `i32`.
pub const CLOCK_MAX: u32 = i32::MAX as u32;

/// The highest client id and the highest integer that lib0 writes: above it JavaScript numbers have gaps.
pub const CLIENT_ID_MAX: u64 = (1 << 53) - 1;

/// Bytes of the longest varint: eight groups of seven bits hold [`CLIENT_ID_MAX`].
pub const VARINT_BYTES_MAX: usize = 8;

/// Elements that one update puts between the same two neighbours: readers walk past all of them for each. They come from
/// clients that did not know of each other, so that there are seldom more than a few.
pub const SAME_PLACE_MAX: usize = 1_000;

/// Bytes of a document's address in a Hocuspocus frame: a graph id, and the name of a session, which is the client's
/// choice. It is sent back with each message.
pub const ADDRESS_BYTES_MAX: usize = 1 << 10;
