/**
 * The controller that decides which kind of page is evicted, and which tiers of it are protected: by how much of it came back.
 *
 *              refaulted                   of the generation that is being evicted (P)
 *     part = ─────────────────────         and of those before, each counting half of the next one (I); there is no D
 *            evicted + protected
 *
 * The set point is the first tier of one type; what is compared with it is another tier of the same type, or the other
 * type. If less of that comes back, it may be evicted; if more, it is protected.
 * Good at: telling pages read once from pages read again. Bad at: less than 64 refaults, where it lets everything go.
 *
 * Owns      the counts, by type and tier.
 * Linux     6.18 mm/vmscan.c: ctrl_pos read_ctrl_pos reset_ctrl_pos positive_ctrl_err; include/linux/mmzone.h: lru_gen_folio
 */

/** Page-table walks and the controller take so few for noise. */
export const MIN_LRU_BATCH = 64;
/** Tiers of a generation. */
export const MAX_NR_TIERS = 4;
/** In place of a tier: all of them together. */
export const ALL_TIERS = -1;

/** A measured value: so many pages came back of so many, and what weight that has. Filled anew for each question. */
export class ControlPosition {
  refaulted = 0;
  total = 0;
  gain = 0;
}

export class RefaultControl {
  /** By type * MAX_NR_TIERS + tier; of the oldest generation, and the moving averages of those before. In pages. */
  readonly refaulted: Float64Array = new Float64Array(2 * MAX_NR_TIERS);
  readonly evicted: Float64Array = new Float64Array(2 * MAX_NR_TIERS);
  readonly protected_: Float64Array = new Float64Array(2 * MAX_NR_TIERS);
  readonly averageRefaulted: Float64Array = new Float64Array(2 * MAX_NR_TIERS);
  readonly averageTotal: Float64Array = new Float64Array(2 * MAX_NR_TIERS);
  private readonly setPoint: ControlPosition = new ControlPosition();
  private readonly processVariable: ControlPosition = new ControlPosition();

  /**
   * May tier `tier` of `type` be evicted, as far as its refaults go? The set point is tier `otherTier` of `other`. Gains are the
   * weights of both.
   */
  mayEvict(other: number, otherTier: number, otherGain: number, type: number, tier: number, gain: number): boolean {
    this.read(this.setPoint, other, otherTier, otherGain);
    this.read(this.processVariable, type, tier, gain);
    return isPositiveError(this.setPoint, this.processVariable);
  }

  /** The last tier of `type` that may go; the first always may. */
  lastTier(other: number, otherGain: number, type: number, gain: number): number {
    let tier = 1;
    while (tier < MAX_NR_TIERS && this.mayEvict(other, 0, otherGain, type, tier, gain)) tier += 1;
    return tier - 1;
  }

  countRefault(type: number, tier: number, pages: number): void {
    this.refaulted[type * MAX_NR_TIERS + tier]! += pages;
  }
  countEviction(type: number, tier: number, pages: number): void {
    this.evicted[type * MAX_NR_TIERS + tier]! += pages;
  }
  countProtected(type: number, tier: number, pages: number): void {
    this.protected_[type * MAX_NR_TIERS + tier]! += pages;
  }

  /** The oldest generation of `type` is done: its counts become history. */
  carryOver(type: number): void {
    for (let at = type * MAX_NR_TIERS; at < (type + 1) * MAX_NR_TIERS; at++) {
      this.averageRefaulted[at] = Math.floor((this.averageRefaulted[at]! + this.refaulted[at]!) / 2);
      const total = this.averageTotal[at]! + this.protected_[at]! + this.evicted[at]!;
      this.averageTotal[at] = Math.floor(total / 2);
      this.refaulted[at] = 0;
      this.evicted[at] = 0;
      this.protected_[at] = 0;
    }
  }

  private read(position: ControlPosition, type: number, tier: number, gain: number): void {
    const base = type * MAX_NR_TIERS;
    const first = tier === ALL_TIERS ? base : base + tier;
    const last = tier === ALL_TIERS ? base + MAX_NR_TIERS - 1 : first;
    position.gain = gain;
    position.refaulted = 0;
    position.total = 0;
    for (let at = first; at <= last; at++) {
      position.refaulted += this.averageRefaulted[at]! + this.refaulted[at]!;
      position.total += this.averageTotal[at]! + this.protected_[at]! + this.evicted[at]!;
    }
  }
}

/** Few refaults, or a smaller part of the whole than at the set point, both weighted. */
function isPositiveError(setPoint: ControlPosition, variable: ControlPosition): boolean {
  if (variable.refaulted < MIN_LRU_BATCH) return true;
  const measured = variable.refaulted * (setPoint.total + MIN_LRU_BATCH) * setPoint.gain;
  return measured <= (setPoint.refaulted + 1) * variable.total * variable.gain;
}
