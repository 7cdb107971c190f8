// Package simulate plays a day of social media around a brand: raw records in the platforms' own formats, and the ground
// truth of what the engine must make of them.
//
// The story is that of a mobile operator and its competitors: a daily curve of chatter, most of it about no tracked brand;
// customers who praise, ask and complain; an outage of the own brand in the afternoon with a wave of negative posts; care
// desks that answer within their hours, some customers who get no answer, some who say thanks. The delivery is as bad as
// that of real platforms: duplicates (also the same item through two feeds), disorder, late records, records from the
// future, malformed ones, notices.
//
// The ground truth is known by construction: it comes from what the simulator decided to write (which brand it put into
// a text, who wrote it, who answers whom), never from the engine's matcher, windows or conversations. Only the sentiment
// label comes from a classifier that the caller may replace. The raw bytes depend on the configuration alone, the label
// never feeds back into the story.
//
// A Simulator holds the records in flight and the conversations that wait for an answer, not the events: its memory grows
// with the number of truth cells and of requests, not of records.
package simulate
