/* The time in whole seconds since 1970, which INFO, LASTSAVE and the save points reckon in. */

export function unixTime(): number {
  return Math.floor(Date.now() / 1000)
}
