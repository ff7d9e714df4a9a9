// Owns what a topic may be called. Not whether it exists.

const legal = /^[a-zA-Z0-9._-]+$/
/** Kafka's: a directory name of 255 less the room for "-partition" and a suffix. */
const lengthMax = 249

export function isLegalTopicName(name: string): boolean {
  return name.length <= lengthMax && name !== '.' && name !== '..' && legal.test(name)
}
