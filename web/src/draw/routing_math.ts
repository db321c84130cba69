// What is derived from routes, each a formula that the page names. Pure functions of frames' numbers.

/** Gini coefficient of counts: 0 is even, 1 is all in one. */
export function gini(counts: number[]): number {
  const sorted = [...counts].sort((a, b) => a - b);
  const sum = sorted.reduce((a, b) => a + b, 0);
  if (!sum) return 0;
  const n = sorted.length;
  return sorted.reduce((total, c, i) => total + (2 * (i + 1) - n - 1) * c, 0) / (n * sum);
}

/**
 * For a row of choices (several experts a token) the hit rate of a cache of the last used experts, for
 * each size from 1 to `experts`: a choice at stack distance d is a hit for every size of at least d.
 */
export function hitRates(choices: number[][], experts: number): number[] {
  const hits = new Array(experts + 1).fill(0);
  const stack: number[] = [];
  let all = 0;
  for (const token of choices) {
    for (const id of token) {
      all++;
      const at = stack.indexOf(id);
      if (at >= 0) {
        hits[at + 1]++;
        stack.splice(at, 1);
      }
      stack.unshift(id);
    }
  }
  let sum = 0;
  return hits.slice(1).map((h) => (sum += h) && sum / Math.max(1, all));
}

/** Balance loss as in training of Switch and Mixtral: experts × Σ share of choices × mean score. */
export function balanceLoss(counts: number[], meanScores: number[], tokens: number): number {
  return counts.length * counts.reduce((sum, c, i) => sum + (c / Math.max(1, tokens)) * meanScores[i], 0);
}

/** The share of choices that would not fit if each expert took capacity × choices / experts. */
export function overflow(counts: number[], capacity: number): number {
  const all = counts.reduce((a, b) => a + b, 0);
  const limit = Math.ceil((capacity * all) / counts.length);
  return all ? counts.reduce((sum, c) => sum + Math.max(0, c - limit), 0) / all : 0;
}
