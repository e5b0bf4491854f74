/** Cinnabar's own version; package.json says the same. */
export const VERSION = '0.1.0'

/** The version of Redis whose behaviour this is, for those who ask; and in one number, a byte a part. */
export const REDIS_VERSION = '7.2.4'
export const REDIS_VERSION_NUM = 0x070204
