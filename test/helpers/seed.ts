/* The seed of tests that try random things: SEED, if set; else another one in every run, but in continuous integration
 * always the same, so that what fails there is what was changed. Tests name their seed when they fail. */

const FIXED = 20_261_120

/** `salt` tells the rounds of one test apart. A signed 32-bit integer. */
export function testSeed(salt = 0): number {
  const given = process.env['SEED'] ?? process.env['FUZZ_SEED']
  if (given !== undefined) return (Number(given) + salt) | 0
  return ((process.env['CI'] === undefined ? Date.now() : FIXED) + salt) | 0
}
