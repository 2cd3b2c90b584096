//! What `ptc doctor` looks at: the machine, this user's folders, and whether work gets done.

pub mod folders;
pub mod machine;
pub mod work;
