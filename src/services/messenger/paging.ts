/** Pages of lists: chapter 2.3 of the document. */

export interface Page {
  page: number;
  size: number;
  /** Rows before the page. */
  skip: number;
}

export const pageOf = ({ page, size }: { page: number; size: number }): Page => ({
  page,
  size,
  skip: (page - 1) * size,
});

export function paginationOf({ page, size }: Page, total: number) {
  const pages = Math.ceil(total / size);
  return { page, size, total, pages, has_next: page < pages, has_prev: page > 1 && total > 0 };
}
