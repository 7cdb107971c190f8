// Package wire is the codec of the messages that the processors hand to each other through Kafka: mentions
// (otklik.mentions) and pane partials with watermarks (otklik.panes). The bytes are protocol buffers as
// schemas/otklik.proto describes them, so that any language can read the topics; the code is written by hand on
// protowire because reflection would cost more than all other work on a mention.
//
// Append functions write a message without zero fields in the order of field numbers, which is what a deterministic
// protobuf encoder writes. Parse functions accept whatever a conforming encoder may write: fields in any order and
// repeated, packed or not, and unknown ones, which are skipped. Input that is not such a message gives an error that
// wraps ErrMalformed, never a panic.
package wire
