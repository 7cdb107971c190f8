// Package stream holds the nouns of Otklik: what a platform delivers (Item), what the engine makes of it
// (Mention), where it was read (Partition, Position), and how the books are kept (LedgerRow).
//
// It depends on the standard library alone, and every other package of the project may import it.
package stream
