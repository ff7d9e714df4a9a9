// Owns the size of libuv's thread pool, which must be said before the first file is opened by it. What is set already stays.
//
// The WAL's writes and fsyncs share the pool with uploads to a local bucket and reads of cold records. With libuv's 4 threads, four
// uploads make an acknowledgement wait its turn: a sixth less throughput on one partition (docs/benchmarks.md).
process.env.UV_THREADPOOL_SIZE ??= '16'
