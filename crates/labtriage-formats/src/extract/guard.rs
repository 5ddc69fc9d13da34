//! Where does a row end, and is it one? A reader that hands on sane rows only, in bounded memory.
//!
//! A row may run over several lines inside quotes, up to [`ROW_BYTES_MAX`]. A longer line is
//! skipped. A quote that is never closed would swallow the rows after it: then only the line that
//! opens it is refused, and the lines after it are read again one by one, quotes not reaching
//! beyond their line. So every byte is looked at twice at most.

use std::collections::VecDeque;
use std::io::{BufRead, Read};

/// The most bytes of a row, without its line end.
pub const ROW_BYTES_MAX: usize = 64 * 1024;

/// Why a line was not handed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The line is too long.
    LineTooLong,
    /// A quote opens on the line and is not closed within the longest row.
    QuoteTooLong,
    /// A quote opens on the line and is never closed.
    QuoteNeverClosed,
}

/// What [`Guard::read_line`] came upon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Line {
    Whole,
    TooLong,
    End,
}

/// What a byte of a row means; the same states as those of the csv crate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    FieldStart,
    Plain,
    Quoted,
    QuoteInQuoted,
}

/// Hands on the sane rows of a file, each ended by `\n`, without byte order mark and blank lines.
pub(crate) struct Guard<R> {
    input: R,
    delimiter: u8,
    /// The row at hand.
    row: Vec<u8>,
    /// How much of it has been handed on.
    given: usize,
    /// What must be read again, and how much of it has been.
    again: Vec<u8>,
    again_from: usize,
    /// Lines read so far.
    line: u32,
    /// Bytes handed on before the row at hand.
    offset: u64,
    /// Where each row that was handed on begins, and on which line.
    starts: VecDeque<(u64, u32)>,
    refused: Vec<(u32, Refusal)>,
}

impl<R: BufRead> Guard<R> {
    pub(crate) fn new(input: R, delimiter: u8) -> Self {
        Self {
            input,
            delimiter,
            row: Vec::new(),
            given: 0,
            again: Vec::new(),
            again_from: 0,
            line: 0,
            offset: 0,
            starts: VecDeque::new(),
            refused: Vec::new(),
        }
    }

    /// The line on which the row that begins at a byte of what was handed on stands.
    pub(crate) fn line_of(&mut self, offset: u64) -> u32 {
        let mut line = 0;
        while let Some(&(start, on)) = self.starts.front()
            && start <= offset
        {
            line = on;
            self.starts.pop_front();
        }
        line
    }

    /// The lines refused since the last call.
    pub(crate) fn take_refused(&mut self) -> Vec<(u32, Refusal)> {
        std::mem::take(&mut self.refused)
    }

    /// The first line refused since the last call of [`Guard::take_refused`].
    pub(crate) fn first_refused(&self) -> Option<u32> {
        self.refused.first().map(|(line, _)| *line)
    }

    pub(crate) fn into_input(self) -> R {
        self.input
    }

    /// Puts the next sane row in place; whether there is one.
    fn next_row(&mut self) -> std::io::Result<bool> {
        self.offset += self.row.len() as u64;
        loop {
            self.row.clear();
            self.given = 0;
            let first = self.line.saturating_add(1);
            let one_line = self.again_from < self.again.len();
            match self.gather(one_line)? {
                None if self.row.is_empty() => return Ok(false),
                None => {}
                Some(refusal) => {
                    self.refuse(first, refusal)?;
                    continue;
                }
            }
            if self.row.last() == Some(&b'\n') {
                self.row.pop();
            }
            if self.row.last() == Some(&b'\r') {
                self.row.pop();
            }
            if !self.row.is_empty() {
                self.row.push(b'\n');
                self.starts.push_back((self.offset, first));
                return Ok(true);
            }
        }
    }

    /// Reads lines until no quote is open; nothing at all at the end of the file.
    fn gather(&mut self, one_line: bool) -> std::io::Result<Option<Refusal>> {
        let mut place = Place::FieldStart;
        loop {
            let from = self.row.len();
            match self.read_line()? {
                Line::End if from == 0 => return Ok(None),
                Line::End => return Ok(Some(Refusal::QuoteNeverClosed)),
                Line::TooLong if from == 0 => return Ok(Some(Refusal::LineTooLong)),
                Line::TooLong => return Ok(Some(Refusal::QuoteTooLong)),
                Line::Whole => {}
            }
            place = walk(&self.row[from..], self.delimiter, place);
            if place != Place::Quoted {
                return Ok(None);
            }
            if one_line {
                return Ok(Some(Refusal::QuoteNeverClosed));
            }
        }
    }

    /// Refuses the line at the head of the row at hand, and has what follows it read again.
    fn refuse(&mut self, line: u32, refusal: Refusal) -> std::io::Result<()> {
        self.refused.push((line, refusal));
        self.line = line;
        match refusal {
            Refusal::LineTooLong => {
                self.input.skip_until(b'\n')?;
            }
            Refusal::QuoteTooLong | Refusal::QuoteNeverClosed => {
                let end = self.row.iter().position(|&byte| byte == b'\n').map_or(self.row.len(), |at| at + 1);
                if end < self.row.len() {
                    self.again.clear();
                    self.again.extend_from_slice(&self.row[end..]);
                    self.again_from = 0;
                }
            }
        }
        self.row.clear();
        Ok(())
    }

    /// Appends a line with its end to the row, as far as the longest row reaches.
    fn read_line(&mut self) -> std::io::Result<Line> {
        let from = self.row.len();
        let rest = &self.again[self.again_from..];
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        self.row.extend_from_slice(&rest[..end]);
        self.again_from += end;
        if self.row.len() == from || self.row.last() != Some(&b'\n') {
            let limit = (ROW_BYTES_MAX + 1).saturating_sub(self.row.len());
            self.input.by_ref().take(limit as u64).read_until(b'\n', &mut self.row)?;
        }
        if self.line == 0 && self.row.starts_with(b"\xEF\xBB\xBF") {
            self.row.drain(..3);
        }
        if self.row.len() > ROW_BYTES_MAX && self.row.last() != Some(&b'\n') {
            return Ok(Line::TooLong);
        }
        if self.row.len() == from {
            // A row as long as it may be, inside quotes, leaves no room to see whether more follows.
            return Ok(if from > ROW_BYTES_MAX { Line::TooLong } else { Line::End });
        }
        self.line = self.line.saturating_add(1);
        Ok(Line::Whole)
    }
}

impl<R: BufRead> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.given == self.row.len() && !self.next_row()? {
            return Ok(0);
        }
        let count = buffer.len().min(self.row.len() - self.given);
        buffer[..count].copy_from_slice(&self.row[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// Where a stretch of a row ends, when it begins at `place`.
fn walk(bytes: &[u8], delimiter: u8, place: Place) -> Place {
    if place != Place::Quoted && !bytes.contains(&b'"') {
        return Place::Plain;
    }
    bytes.iter().fold(place, |place, &byte| match (place, byte) {
        (Place::FieldStart | Place::QuoteInQuoted, b'"') => Place::Quoted,
        (Place::Quoted, b'"') => Place::QuoteInQuoted,
        (Place::Quoted, _) => Place::Quoted,
        (_, byte) if byte == delimiter => Place::FieldStart,
        _ => Place::Plain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(input: &[u8]) -> (String, Vec<(u32, Refusal)>, Vec<u32>) {
        let mut guard = Guard::new(input, b',');
        let mut out = Vec::new();
        guard.read_to_end(&mut out).unwrap();
        let lines = guard.starts.iter().map(|(_, line)| *line).collect();
        (String::from_utf8_lossy(&out).into_owned(), guard.take_refused(), lines)
    }

    fn check(input: &str, rows: &str, refused: &[(u32, Refusal)], lines: &[u32]) {
        let found = run(input.as_bytes());
        assert_eq!((found.0.as_str(), found.1.as_slice(), found.2.as_slice()), (rows, refused, lines), "{input:?}");
    }

    #[test]
    fn line_ends_blank_lines_and_byte_order_mark_go() {
        check("\u{FEFF}a,b\r\n\r\n1,2\n\n3,4", "a,b\n1,2\n3,4\n", &[], &[1, 3, 5]);
    }

    #[test]
    fn quoted_line_ends_belong_to_the_row() {
        check("a,\"x\ny\"\nb,c\n", "a,\"x\ny\"\nb,c\n", &[], &[1, 3]);
        check("a,b\"c\nd,\"e\"\"f\"\n", "a,b\"c\nd,\"e\"\"f\"\n", &[], &[1, 2]);
    }

    #[test]
    fn an_unclosed_quote_costs_only_its_line() {
        check("a,\"x\nb,c\nd,e", "b,c\nd,e\n", &[(1, Refusal::QuoteNeverClosed)], &[2, 3]);
        check("a,b\nc,\"d", "a,b\n", &[(2, Refusal::QuoteNeverClosed)], &[1]);
    }

    #[test]
    fn a_long_line_is_skipped_and_counted() {
        let long = "x".repeat(3 * ROW_BYTES_MAX);
        check(&format!("a\n{long}\nb\n"), "a\nb\n", &[(2, Refusal::LineTooLong)], &[1, 3]);
        check(&format!("a\n{long}"), "a\n", &[(2, Refusal::LineTooLong)], &[1]);
        check(&format!("a\n\"{long}\"\nb\n"), "a\nb\n", &[(2, Refusal::LineTooLong)], &[1, 3]);
        check(
            &format!("a\n\"b\n{long}\nc\n"),
            "a\nc\n",
            &[(2, Refusal::QuoteTooLong), (3, Refusal::LineTooLong)],
            &[1, 4],
        );
    }

    #[test]
    fn the_longest_row_is_kept_and_one_byte_more_is_not() {
        let longest = "x".repeat(ROW_BYTES_MAX);
        check(&format!("{longest}\nb\n"), &format!("{longest}\nb\n"), &[], &[1, 2]);
        check(&format!("{longest}x\nb\n"), "b\n", &[(1, Refusal::LineTooLong)], &[2]);
        let quoted = format!("\"{}\n", &longest[..ROW_BYTES_MAX - 1]);
        check(&format!("{quoted}b\n"), "b\n", &[(1, Refusal::QuoteTooLong)], &[2]);
    }

    #[test]
    fn quotes_that_stay_open_on_every_line_take_linear_time() {
        let many = "b\",\"c\n".repeat(200_000);
        let (rows, refused, _) = run(many.as_bytes());
        assert_eq!(rows.lines().count() + refused.len(), 200_000);
    }
}
