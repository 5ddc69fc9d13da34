//! Which row of which table? Typed indices and the flat tables they index.
//!
//! An `AnalyserIx` cannot index a list of sites: the compiler knows which table an index is of.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A row number of one kind of table.
pub trait Ix: Copy + Eq + Ord {
    /// The index of row `row`; rows beyond the index's width are held at its last value.
    fn from_row(row: usize) -> Self;
    /// The row number.
    fn row(self) -> usize;
}

/// Defines typed indices: `define_index! { /// doc  SiteIx(u16) }`.
#[macro_export]
macro_rules! define_index {
    ($($(#[$meta:meta])* $name:ident($inner:ty);)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name($inner);

        impl $crate::table::Ix for $name {
            fn from_row(row: usize) -> Self {
                Self(<$inner>::try_from(row).unwrap_or(<$inner>::MAX))
            }
            fn row(self) -> usize {
                self.0 as usize
            }
        }
    )+};
}

define_index! {
    /// A test of the catalogue (single or panel).
    TestIx(u16);
    /// A specimen type of the catalogue.
    SpecimenIx(u8);
    /// A handling protocol of the catalogue.
    ProtocolIx(u8);
    /// A source of figures.
    SourceIx(u16);
    /// A discipline.
    DisciplineIx(u8);
    /// A calendar of the network.
    CalendarIx(u16);
    /// A laboratory.
    SiteIx(u16);
    /// An analyser line.
    AnalyserIx(u16);
    /// A courier (a timetable, not one departure).
    CourierIx(u16);
    /// One departure of a courier within the horizon.
    DepartureIx(u32);
    /// A place where recalled patients are bled.
    CollectionPointIx(u16);
    /// A practice or ward.
    RequesterIx(u32);
    /// A group of requesters whose waits are compared, in order of name.
    GroupIx(u32);
    /// A priority band, the most pressing first.
    BandIx(u8);
    /// A slot of the planning grid.
    SlotIx(u16);
    /// One capacity cell: a resource in a slot, day, departure or over the horizon.
    CellIx(u32);
    /// A sample of the backlog, in order of accession.
    SampleIx(u32);
    /// A request, in order of its code.
    RequestIx(u32);
    /// A patient, in order of pseudonym.
    PatientIx(u32);
    /// A test line, in order of sample and test.
    LineIx(u32);
    /// An override.
    OverrideIx(u32);
}

/// A flat table whose rows are found by one kind of index only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table<I, T> {
    rows: Vec<T>,
    index: PhantomData<fn(I)>,
}

impl<I: Ix, T> Table<I, T> {
    /// A table of these rows.
    pub fn new(rows: Vec<T>) -> Self {
        Self { rows, index: PhantomData }
    }

    /// `len` copies of a row.
    pub fn filled(row: T, len: usize) -> Self
    where
        T: Clone,
    {
        Self::new(vec![row; len])
    }

    /// Adds a row and returns its index.
    pub fn push(&mut self, row: T) -> I {
        self.rows.push(row);
        I::from_row(self.rows.len() - 1)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row, when there is one.
    pub fn get(&self, index: I) -> Option<&T> {
        self.rows.get(index.row())
    }

    /// The rows in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.rows.iter()
    }

    /// The indices in order.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = I> + ExactSizeIterator + use<I, T> {
        (0..self.rows.len()).map(I::from_row)
    }

    /// Each index with its row, in order.
    pub fn enumerate(&self) -> impl DoubleEndedIterator<Item = (I, &T)> {
        self.rows.iter().enumerate().map(|(row, value)| (I::from_row(row), value))
    }

    /// The rows as a slice.
    pub fn as_slice(&self) -> &[T] {
        &self.rows
    }

    /// The rows as a slice to write to.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.rows
    }

    /// The first index whose row fits.
    pub fn position(&self, fits: impl FnMut(&T) -> bool) -> Option<I> {
        self.rows.iter().position(fits).map(I::from_row)
    }
}

impl<I: Ix, T> Default for Table<I, T> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<I: Ix, T> FromIterator<T> for Table<I, T> {
    fn from_iter<It: IntoIterator<Item = T>>(rows: It) -> Self {
        Self::new(rows.into_iter().collect())
    }
}

impl<I: Ix, T> Index<I> for Table<I, T> {
    type Output = T;
    fn index(&self, index: I) -> &T {
        &self.rows[index.row()]
    }
}

impl<I: Ix, T> IndexMut<I> for Table<I, T> {
    fn index_mut(&mut self, index: I) -> &mut T {
        &mut self.rows[index.row()]
    }
}
