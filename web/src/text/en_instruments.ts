// The words of the instruments, in English.
export const tk = {
  text: 'Text', surprise: 'surprise', entropy: 'entropy', off: 'plain', colourBy: 'Shade by', chosen: 'This token',
  bytesOf: 'bytes of a split character', position: 'position', token: 'token', rank: 'rank', kind: 'from',
  kinds: ['prompt', 'reply', 'branch'] as string[],
  textSummary: (n: number, mean: string, word: string, at: number) =>
    `${n} tokens; on average ${mean} nats of surprise, the greatest at “${word}” (position ${at}).`,
  textPlain: (n: number) => `${n} tokens.`,
  ladder: 'From all tokens to one', noToken: 'No token here.', noCandidates: 'No distribution was computed for this token.',
  noCandidatesWhy: 'A prompt token is given, not chosen. With “Score the prompt too” in Settings its distribution is computed as well.',
  ladderSummary: (word: string, at: number, rank: string, left: number | null) =>
    `“${word}” at position ${at} was number ${rank} of all tokens${left === null ? '' : `; the chain left ${left} to draw from`}.`,
  survivors: 'tokens left', mass: 'mass left', draw: 'The draw: all that was left, in the order of ids',
  given: 'This token was given by the prompt.', set: 'This token was set by a branch.', greedy: 'Nothing was drawn: the best was taken.',
  afterChain: 'p after the chain', droppedBy: 'dropped by', kept: 'kept',
  candidate: (word: string, raw: string, after: string, dropped: string) =>
    `“${word}”: ${raw} before the chain, ${dropped ? `dropped by ${dropped}` : `${after} after it`}. Click to branch with it.`,
  clickToBranch: 'Click a candidate to go on with it instead.',
  stage: {
    raw: 'all', repetition_penalty: 'repetition', presence_penalty: 'presence', frequency_penalty: 'frequency',
    temperature: 'temperature', top_k: 'top-k', top_p: 'top-p', min_p: 'min-p', typical_p: 'typical-p',
  } as Record<string, string>,
  pieces: 'What the tokenizer made of it', special: 'special', origin: 'origin', bytes: 'bytes',
  piecesSummary: (n: number, special: number, per: string) =>
    `${n} tokens, ${special} of them special; ${per} characters a token in the rest.`,
};

export const ta = {
  heads: 'Heads', row: 'Where it looks', matrix: 'One head, every pair', window: 'With a smaller window',
  measure: 'Shade by', entropy: 'entropy', sink_mass: 'sinks', distance: 'distance', recent_mass: 'recent',
  wait: 'Statistics come layer by layer while it runs, and for all layers when it pauses.',
  headsSummary: (layer: number, head: number, sink: string, entropy: string) =>
    `Layer ${layer}, head ${head}: ${sink} of its attention rests on the first four tokens; entropy ${entropy} nats.`,
  rowSummary: (layer: number, head: number, at: number, share: string, word: string) =>
    `Layer ${layer}, head ${head} looks most at token ${at} (“${word}”, ${share}).`,
  removed: (n: number, share: string) => `The first ${n} tokens, with ${share} of the mass, are left out (key s).`,
  noRow: 'No row is here for this head and position.', noRowWhy: 'Pause the run, or wait for its end: then any row can be asked for.',
  scale: 'Scale', log: 'log', linear: 'linear', rank: 'rank', sinks: 'leave out the first 4',
  find: 'Which head looks most at token', findGo: 'Find', found: (l: number, h: number, share: string) => `Layer ${l}, head ${h}: ${share}`,
  layer: 'layer', head: 'head', position: 'position', token: 'token', weight: 'weight', at: 'seen at',
  max: 'greatest', mean: 'mean', matrixSummary: (l: number, h: number, n: number) => `Layer ${l}, head ${h}: rows are queries, columns keys, ${n} positions; masked pairs are left empty.`,
  load: 'Compute this picture', whole: 'Whole text', zoom: 'Last 64',
  self: 'self-check: row × values against the kernel',
  windowRun: 'Compute', w: 'window', windowNone: 'Choose a window and compute: the model says the last tokens again, seeing only so many keys.',
  windowSummary: (w: number, kl: string, flips: number, n: number, reach: number) =>
    `With a window of ${w}: ${kl} nats of change on average over ${n} tokens, ${flips} of them with another best token. Directly it reaches ${w} tokens back, through all layers ${reach}.`,
  direct: 'direct reach', indirect: 'through the layers', before: 'before', after: 'after', withSinks: 'keep 4 sinks',
};
export const tr = {
  grid: 'Experts of every token', none: 'This model has no experts',
  noneText: 'Each of its layers has one feed-forward that all tokens go through, so there is nothing to route. Load a mixture (Mixtral, Qwen-MoE, DeepSeek), or open a recorded run of one.',
  wait: 'Routes come with each token.', gridSummary: (n: number, l: number, k: number, e: number) =>
    `${n} tokens through ${l} layers: ${k} of ${e} experts each. The place in a cell is the expert, the lightness its weight.`,
  one: 'One token’s router', oneSummary: (l: number, ids: string, margin: string) => `Layer ${l} chose ${ids}; the margin over the next is ${margin}.`,
  load: 'Load', loadSummary: (l: number, top: number, share: string, gini: string, dead: number) =>
    `Layer ${l}: expert ${top} was chosen most, by ${share} of the tokens. Gini ${gini}; ${dead} never chosen. The dashed line is the uniform share.`,
  reuse: 'If few experts fitted', reuseSummary: (n: number, share: string) =>
    `Holding the ${n} experts of a layer that were used last would serve ${share} of the choices without a read.`,
  what: 'With other experts', whatSummary: (k: number, kl: string, flips: number) => `With ${k} active: ${kl} nats of change, ${flips} other best tokens.`,
  whatNone: 'Choose a number of active experts, or one to drop, and compute.', expert: 'expert', score: 'score', weight: 'weight', layer: 'layer',
  biased: 'with bias', chosen: 'chosen', yes: 'yes', count: 'choices', share: 'share', compute: 'Compute', drop: 'drop expert', active: 'active', position: 'position',
  group: 'group', open: 'open', shut: 'shut', resident: 'experts held', hit: 'hit rate', bytes: 'bytes', margin: 'margin', balance: 'balance loss', z: 'z-loss', capacity: 'capacity factor',
  overflow: 'of the choices would not have fitted', token: 'token', experts: 'experts',
};
export const tm = {
  run: 'This run’s positions', pool: 'All pages', process: 'Memory of the process', none: 'Nothing in the cache yet.',
  runSummary: (n: number, pages: number, size: number, left: number, window: number) =>
    `${n} positions in ${pages} pages of ${size}. ${window ? `The window shows ${window}; ${left} positions are masked, and their bytes stay until the page goes.` : 'No window: every position is seen.'}`,
  poolSummary: (used: number, all: number, free: number, cached: number) => `${used} of ${all} pages hold something; ${free} are free, ${cached} kept for a prefix to come.`,
  processSummary: (resident: string, predicted: string) => `${resident} resident; ${predicted} were predicted.`,
  justLeft: (at: number, word: string) => `Token ${at} (“${word}”) has just left the window.`,
  group: 'layers', kind: 'kind', perPosition: 'bytes a position', expanded: 'if expanded', window: 'window', masked: 'masked',
  position: 'position', page: 'page', slot: 'slot', token: 'token', seen: 'state', live: 'seen', head: 'write head', what: 'what', now: 'in use', inUse: 'keys and values in use', measured: 'reserved', predicted: 'predicted', difference: 'difference',
  parts: { weights_bytes: 'weights', kv_bytes: 'keys and values', scratch_bytes: 'working space', explorer_bytes: 'Explorer', other_bytes: 'other' } as Record<string, string>,
  owner: 'owner', free: 'free', other: 'others',  shared: 'shared', runN: (n: number) => `run ${n}`, forgotten: 'Masked tokens are struck through below.',
};
export const tc = {
  title: 'Block by block', a: 'A', b: 'B', swap: 'Swap', loaded: 'loaded', shape: 'Shapes to scale', totals: 'In all',
  summary: (a: string, b: string, ratio: string, active: string) => `${b} has ${ratio} the parameters of ${a} and reads ${active} of them for a token.`,
  block: 'block', parameters: 'parameters', active: 'active', read: 'read a token', kv: 'KV a token', flops: 'FLOPs a token', weights: 'weights', ratio: 'B : A', context: 'context',
  heads: (h: number, kv: number) => `${h} query heads over ${kv}`, latent: (r: number) => `latent of ${r}`, win: (w: number) => `window ${w}`, experts: (k: number, e: number) => `${k} of ${e} experts`, wide: (w: number) => `width ${w}`, layers: (n: number) => `× ${n} layers`,
  sizes: (all: string, active: string) => all === active ? `${all} parameters, all of them for each token` : `${all} parameters in memory, ${active} for a token`,
  embedding: 'embedding', attention_norm: 'norm', attention: 'attention', ffn_norm: 'norm', ffn: 'feed-forward', expertsName: 'experts', output_norm: 'norm', output: 'output', layersOf: 'in', differs: 'They differ in', drawn: 'The two models, drawn to the same scale.',
};
