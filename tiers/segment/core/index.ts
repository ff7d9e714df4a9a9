// The pure door of segments, for cores of other rooms: descriptors and names, no I/O.

export { segmentFormatVersion, type SegmentTrailer } from './format.ts'
export { decodeSegmentFacts, encodeSegmentFacts, type SegmentFacts, segmentFactsBytes } from './segment-facts.ts'
export { parseSegmentKey, segmentKey, type SegmentName, segmentPrefix } from './segment-name.ts'
