/**
 * Lists of pages in which a page moves without anything being allocated. A page is in at most one list.
 *
 * Owns      the links: two words for each page, and two for the head of each list, which closes it to a ring.
 *
 *     links      [ newer 0 | older 0 | newer 1 | older 1 | … | those of the heads ]      a page's two lie in one cache line
 *
 *     list  head ⇄ 7 ⇄ 3 ⇄ 9 ⇄ head        newest: 7; oldest: 9
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

  /** Something that isPage() denies if the list is empty; so too below. */
  newest(list: number): number {
    return this.links[2 * (this.pages + list) + 1]!;
  }

  oldest(list: number): number {
    return this.links[2 * (this.pages + list)]!;
  }

  isPage(page: number): boolean {
    return page < this.pages;
  }

  /** As the newest of `list`. */
  add(list: number, page: number): void {
    const links = this.links;
    const head = this.pages + list;
    const second = links[2 * head + 1]!;
    links[2 * page] = head;
    links[2 * page + 1] = second;
    links[2 * second] = page;
    links[2 * head + 1] = page;
  }

  remove(page: number): void {
    const links = this.links;
    const newer = links[2 * page]!;
    const older = links[2 * page + 1]!;
    links[2 * newer + 1] = older;
    links[2 * older] = newer;
  }

  /** From wherever it is. */
  moveToNewest(list: number, page: number): void {
    this.remove(page);
    this.add(list, page);
  }

  removeOldest(list: number): number {
    const oldest = this.oldest(list);
    this.remove(oldest);
    return oldest;
  }
}
