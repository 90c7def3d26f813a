//! Pages of a column chunk, looked at before they are decoded: the decoders trust what the pages say of themselves.

use std::fs::File;
use std::sync::Arc;

use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

/// The pages of one column chunk. Pages that would make a decoder panic or ask for absurd memory are errors.
pub(super) struct Pages {
    inner: SerializedPageReader<File>,
    /// Bits of a definition level; 0 where no value can be missing.
    level_bits: usize,
    /// Bytes that a value in a dictionary takes at least.
    value_bytes: usize,
    has_dictionary: bool,
}

impl Pages {
    pub(super) fn open(file: &Arc<File>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Self> {
        let value_bytes = match chunk.column_type() {
            Type::BOOLEAN => 0,
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
            Type::INT64 | Type::DOUBLE => 8,
            Type::INT96 => 12,
            Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(chunk.column_descr().type_length())?,
        };
        Ok(Self {
            inner: SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?,
            level_bits: (i16::BITS - chunk.column_descr().max_def_level().leading_zeros()) as usize,
            value_bytes,
            has_dictionary: false,
        })
    }

    /// The row each data page begins with, by the pages' heads alone.
    pub(super) fn starts(mut self) -> Result<Vec<u64>> {
        let (mut starts, mut rows) = (Vec::new(), 0);
        while let Some(page) = self.inner.peek_next_page()? {
            if !page.is_dict {
                starts.push(rows);
                // Without repetition there are as many levels as rows.
                rows += page.num_rows.or(page.num_levels).unwrap_or(0) as u64;
            }
            self.inner.skip_next_page()?;
        }
        Ok(starts)
    }

    fn check(&mut self, page: &Page) -> Result<()> {
        let bytes = page.buffer().len();
        let sound = match *page {
            Page::DictionaryPage { num_values, .. } => {
                self.has_dictionary = true;
                (num_values as usize).saturating_mul(self.value_bytes) <= bytes
            }
            Page::DataPage { num_values, def_level_encoding, .. } => {
                def_level_encoding == Encoding::RLE || (num_values as usize * self.level_bits).div_ceil(8) <= bytes
            }
            Page::DataPageV2 { num_nulls, num_values, def_levels_byte_len, rep_levels_byte_len, .. } => {
                num_nulls <= num_values
                    && u64::from(def_levels_byte_len) + u64::from(rep_levels_byte_len) <= bytes as u64
            }
        };
        let indexes = matches!(page.encoding(), Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY);
        if !sound {
            Err(ParquetError::General("a page does not hold what its head says".to_owned()))
        } else if indexes && !self.has_dictionary {
            Err(ParquetError::General("a page needs a dictionary that is not there".to_owned()))
        } else {
            Ok(())
        }
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        loop {
            let page = self.inner.get_next_page()?;
            if let Some(page) = &page {
                self.check(page)?;
                if page.is_data_page() && page.num_values() == 0 {
                    // The column reader would take an empty page for the end.
                    continue;
                }
            }
            return Ok(page);
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
