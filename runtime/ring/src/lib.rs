//! Tensors over `Z_2^k`, fixed point, bit packing, the PRG, bit planes.
