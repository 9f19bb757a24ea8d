//! JSON of ours and of others.
