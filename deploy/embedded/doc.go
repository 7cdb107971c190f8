// Package embedded runs the two distributed engines that Otklik stands on, Kafka and ClickHouse, on one machine and
// without installing either: for the demo, for a laptop and for the tests.
//
// Kafka is [github.com/twmb/franz-go/pkg/kfake] inside the process, with its log on disk. It is a broker for one machine:
// it speaks the protocol and survives kill -9, but nothing is replicated and nothing is synced to the disk on each write.
//
// ClickHouse is the real engine. The npm packages that deploy/embedded/package.json pins ship it as one shared library,
// libchdb.so; a child process of the running binary loads it and serves the native and the HTTP protocol on loopback. It
// is a process of its own because the library takes over signals, file descriptors and the allocator of whoever loads it.
//
// # How the child works
//
// The library has no call that serves the network, only the entry point of clickhouse-local, whose
// "SYSTEM START LISTEN" does. Three things about it are not obvious:
//
//   - When its standard input is no terminal, clickhouse-local ends the whole process as soon as one client breaks its
//     connection (it installs Poco's KillingErrorHandler). It does not on a terminal, so the child gives it a
//     pseudo-terminal, and ends it as a person would: with Ctrl-D.
//   - It logs in as the user "default" with an empty password, and there is no way to give it another name. The generated
//     users file allows that user a single session, which clickhouse-local itself then holds, and no right but the one
//     to start listening.
//   - It only starts the background work that drops tables if the folder "metadata" already exists.
//
// The child ends when the pipe on its standard input closes, which happens at the latest when its parent dies; on Linux
// the kernel kills it as well.
package embedded
