// Owns the names of files in a WAL directory: `wal-<16 digits>.log` in use or prepared, `spare-<16 digits>.log` for reuse.

const digits = 16
const walName = /^wal-(\d{16})\.log$/
const spareName = /^spare-(\d{16})\.log$/

export const walFileName = (file: number): string => `wal-${String(file).padStart(digits, '0')}.log`
export const spareFileName = (file: number): string => `spare-${String(file).padStart(digits, '0')}.log`

export function walFileNumber(name: string): number | undefined {
  const match = walName.exec(name)
  return match === null ? undefined : Number(match[1])
}

export const isSpareFileName = (name: string): boolean => spareName.test(name)
