//! Online protocols, one file each, both parties in one body.
