// Owns the shape of tagged fields this build has no name for. They are kept as bytes and written back, never interpreted.

export interface UnknownTaggedField {
  readonly tag: number
  readonly bytes: Uint8Array
}

/** In ascending order of tag; `undefined` when there are none, which is nearly always. */
export type UnknownTaggedFields = readonly UnknownTaggedField[] | undefined
