/** Owns the names that the steps share: each begins where the one before has ended. */
export const topic = 'differential'
export const group = 'differential-readers'
export const modern = 'differential-modern'
export const slowMs = 120_000
