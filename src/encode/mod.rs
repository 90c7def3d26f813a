//! From cells to bytes in any writer: indexed PNG, GeoTIFF, legends.
