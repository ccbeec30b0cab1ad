//! Tables of text in columns, spaced as argocd and kubectl space them.

/// Blanks between two columns.
const GAP: usize = 2;

/// Rows of cells; the last cell of a row is never padded.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this first row.
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = Table::default();
        table.row(header.iter().map(|cell| (*cell).to_owned()).collect());
        table
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The text, one line per row. Line breaks inside cells become blanks.
    pub(crate) fn render(&self) -> String {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..n_columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate() {
                let cell = cell.replace(['\n', '\r'], " ");
                text.push_str(&cell);
                if column + 1 < row.len() {
                    let n_blanks = widths[column] + GAP - cell.chars().count();
                    text.extend(std::iter::repeat_n(' ', n_blanks));
                }
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["NAME", "STATUS", "MESSAGE"]);
        table.row(vec![
            "größe".to_owned(),
            String::new(),
            "two\nlines".to_owned(),
        ]);
        assert_eq!(
            table.render(),
            "NAME   STATUS  MESSAGE\ngröße          two lines\n"
        );
    }
}
