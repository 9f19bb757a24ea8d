//! What the program does beside serving, for people and scripts.
