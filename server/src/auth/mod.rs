//! Who somebody is, and what they may do.

/// What somebody may do, and under which name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Access(());

impl Access {
    /// Everybody who reaches a server in mode `open`: nobody has a name, and everybody may do everything.
    pub fn open() -> Self {
        Self::default()
    }

    /// Whose connections are counted together: the signed-in user. `None` for people without a name.
    pub fn client(&self) -> Option<&str> {
        None
    }
}
