//! From a byte to a color: gradients, schemes and palettes. Stands alone.
