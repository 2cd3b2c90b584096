//! Names, shapes, visibility.
