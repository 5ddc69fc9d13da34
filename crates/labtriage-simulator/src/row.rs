//! What does an extract say about one sample? Seventeen fields, or bytes that are no row at all.

/// The columns of an extract, in order. They are the names that LabTriage itself uses, so that no
/// mapping of headers is needed.
pub const COLUMNS: [&str; 17] = [
    "accession",
    "request",
    "patient",
    "requester",
    "band",
    "clinical_flags",
    "requested_at",
    "collected_at",
    "received_at",
    "separated_at",
    "specimen",
    "site",
    "condition",
    "history",
    "volume_ul",
    "tests",
    "sample_flags",
];

/// A column, by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Column {
    Accession,
    Request,
    Patient,
    Requester,
    Band,
    ClinicalFlags,
    RequestedAt,
    CollectedAt,
    ReceivedAt,
    SeparatedAt,
    Specimen,
    Site,
    Condition,
    History,
    Volume,
    Tests,
    SampleFlags,
}

impl Column {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 17] = [
        Self::Accession,
        Self::Request,
        Self::Patient,
        Self::Requester,
        Self::Band,
        Self::ClinicalFlags,
        Self::RequestedAt,
        Self::CollectedAt,
        Self::ReceivedAt,
        Self::SeparatedAt,
        Self::Specimen,
        Self::Site,
        Self::Condition,
        Self::History,
        Self::Volume,
        Self::Tests,
        Self::SampleFlags,
    ];
}

/// One row of an extract; its buffers are reused from row to row.
///
/// Times are local, `2024-06-10T20:00`; lists are separated by `;`; a test followed by `*` has been
/// analysed but its result could not be reported; volumes are in microlitres. Fields are bytes,
/// because a hostile row need not be text.
#[derive(Clone, Default, Debug)]
pub struct ExtractRow {
    fields: [Vec<u8>; 17],
    raw: Option<Vec<u8>>,
}

impl ExtractRow {
    /// The fields in the order of [`COLUMNS`]; stale when [`ExtractRow::raw`] is there.
    pub fn fields(&self) -> [&[u8]; 17] {
        std::array::from_fn(|column| self.fields[column].as_slice())
    }

    /// A whole line to be written as it is, without its line end, in place of the fields.
    pub fn raw(&self) -> Option<&[u8]> {
        self.raw.as_deref()
    }

    /// Empties every field.
    pub(crate) fn clear(&mut self) {
        self.raw = None;
        self.fields.iter_mut().for_each(Vec::clear);
    }

    /// A field to write to.
    pub(crate) fn field(&mut self, column: Column) -> &mut Vec<u8> {
        &mut self.fields[column as usize]
    }

    /// A field to read.
    pub(crate) fn get(&self, column: Column) -> &[u8] {
        &self.fields[column as usize]
    }

    /// Replaces a field.
    pub(crate) fn set(&mut self, column: Column, bytes: impl AsRef<[u8]>) {
        let field = self.field(column);
        field.clear();
        field.extend_from_slice(bytes.as_ref());
    }

    /// Makes it a line to be written as it is.
    pub(crate) fn set_raw(&mut self, line: Vec<u8>) {
        self.raw = Some(line);
    }

    /// Copies the fields of another row.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.raw = None;
        for (mine, theirs) in self.fields.iter_mut().zip(&other.fields) {
            mine.clear();
            mine.extend_from_slice(theirs);
        }
    }
}

/// Appends a number in decimal digits, at least `width` of them.
pub(crate) fn write_number(n: u32, width: usize, text: &mut Vec<u8>) {
    let mut digits = [b'0'; 10];
    let mut left = n;
    let mut first = digits.len();
    while left > 0 || digits.len() - first < width {
        first -= 1;
        digits[first] = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        if first == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[first..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_in_order() {
        assert_eq!(COLUMNS[Column::Band as usize], "band");
        assert_eq!(COLUMNS[Column::History as usize], "history");
        assert_eq!(COLUMNS[Column::SampleFlags as usize], "sample_flags");
    }

    #[test]
    fn numbers_are_padded_and_never_cut() {
        let check = |n, width, expected: &str| {
            let mut text = Vec::new();
            write_number(n, width, &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        };
        check(0, 1, "0");
        check(42, 7, "0000042");
        check(12_345, 3, "12345");
        check(u32::MAX, 1, "4294967295");
    }
}
