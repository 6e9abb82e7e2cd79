//! A page, and which of its lines is chosen.

use crate::page::{Line, Page};

#[derive(Clone, Debug, Default)]
pub struct List {
    pub page: Page,
    pub cursor: usize,
    pub top: usize,
    /// It is being looked up.
    pub is_waiting: bool,
}

impl List {
    pub fn new(page: Page) -> List {
        List { page, ..List::default() }
    }

    pub fn waiting(title: impl Into<String>) -> List {
        List { is_waiting: true, ..List::new(Page { title: title.into(), ..Page::default() }) }
    }

    pub fn line(&self) -> Option<&Line> {
        self.page.lines.get(self.cursor)
    }

    pub fn go(&mut self, by: i64, height: usize) {
        let last = self.page.lines.len().saturating_sub(1) as i64;
        self.cursor = (self.cursor as i64).saturating_add(by).clamp(0, last) as usize;
        self.show(height);
    }

    pub fn show(&mut self, height: usize) {
        let height = height.max(1);
        self.cursor = self.cursor.min(self.page.lines.len().saturating_sub(1));
        self.top = self.top.min(self.page.lines.len().saturating_sub(height));
        self.top = self.top.clamp((self.cursor + 1).saturating_sub(height), self.cursor);
    }

    /// Another page of the same kind; the cursor stays on its line.
    pub fn replace(&mut self, page: Page) {
        self.page = page;
        self.is_waiting = false;
        self.cursor = self.cursor.min(self.page.lines.len().saturating_sub(1));
    }
}
