/**
 * Lists of pages in which a page moves without anything being allocated. A page is in at most one list.
 *
 * Owns      the links: two words for each page, and two for the head of each list, which closes it to a ring.
 *
 *     links      [ prev 0 | next 0 | prev 1 | next 1 | … | prev head | next head ]        a move touches three pages: six words
 *
 *     list  head ⇄ 7 ⇄ 3 ⇄ 9 ⇄ head        first: 7, the newest; last: 9, the oldest
 */
export class PageLists {
  private readonly links: Int32Array;
  private readonly pages: number;

  constructor(pages: number, lists: number) {
    this.pages = pages;
    this.links = new Int32Array(2 * (pages + lists));
    for (let list = 0; list < lists; list++) {
      const head = pages + list;
      this.links[2 * head] = head;
      this.links[2 * head + 1] = head;
    }
  }

  /** The newest page; `NOBODY` or more if the list is empty. */
  first(list: number): number {
    return this.links[2 * (this.pages + list) + 1]!;
  }

  /** The oldest page. */
  last(list: number): number {
    return this.links[2 * (this.pages + list)]!;
  }

  /** The neighbour towards the newest, from the newest on the list's head, which is no page. */
  newer(page: number): number {
    return this.links[2 * page]!;
  }

  isPage(page: number): boolean {
    return page < this.pages;
  }

  add(list: number, page: number): void {
    const links = this.links;
    const head = this.pages + list;
    const first = links[2 * head + 1]!;
    links[2 * page] = head;
    links[2 * page + 1] = first;
    links[2 * first] = page;
    links[2 * head + 1] = page;
  }

  remove(page: number): void {
    const links = this.links;
    const prev = links[2 * page]!;
    const next = links[2 * page + 1]!;
    links[2 * prev + 1] = next;
    links[2 * next] = prev;
  }

  /** To the newest end of `list`, from wherever it is. */
  move(list: number, page: number): void {
    this.remove(page);
    this.add(list, page);
  }
}
