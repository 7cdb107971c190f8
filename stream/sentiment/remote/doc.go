// Package remote labels texts with an external classifier that speaks HTTP, for those who run a transformer, and with the
// built-in model where the external one does not answer in time.
//
// # The request
//
// One POST per batch of texts, Content-Type application/json, with "Authorization: Bearer TOKEN" where a token is configured:
//
//	{"texts": [
//	  {"text": "МТС лежит, а Билайн работает", "lang": "ru", "brand": "mts", "target": [[0, 3]], "others": [[13, 19]]}
//	]}
//
// text is what was posted. lang is the platform's word for its language (BCP 47) and is missing where the platform gives none.
// brand is the key, in the catalogue, of the brand to label for. target and others say where the text names that brand and where it
// names other brands: half-open ranges of Unicode code points, as Python slices strings; either may be empty, because a
// reply to an official account need not name the brand.
//
// # The response
//
// Status 200 and one result per text, in the order of the texts:
//
//	{"model": "rubert-2026-11", "results": [
//	  {"label": "negative", "scores": {"positive": 0.01, "neutral": 0.04, "negative": 0.95}}
//	]}
//
// label is positive, neutral or negative, with the three probabilities (each from 0 to 1, their sum 1 within 0.02; they are
// scaled to sum to 1), or unlabelled, without scores, for a language that the classifier does not know. model is optional:
// the version, up to 64 of the characters A-Z a-z 0-9 . _ : / @ + -. Members that are not named here are ignored. A response of
// more than 4 KiB and 1 KiB per text, another number of results, another label, a score that is missing or no probability, or anything
// that is not JSON makes the whole response invalid. Redirects are not followed.
//
// # What happens when it does not answer
//
// A request that fails on its way, runs into its time-out or is answered with 408, 425, 429 or 5xx is repeated with growing
// pauses (or after the server's Retry-After); any other status and an invalid response are not. After several failed requests in a row
// the classifier is left alone for a while, then tried with one request. Independently of all this one micro-batch waits
// for at most MaxWait. Texts without an answer by then are labelled by the built-in model: nothing is lost and the stream goes on.
// The rows tell: mentions.model is the configured name, with ":" and the version where the response states one, for
// the labels of the external classifier, and the name of the built-in model for the others.
//
// # What holds for replays
//
// An external classifier need not give the same answer twice, and a text that fell back may be answered the next time. What
// counts is the first message about a mention in otklik.mentions: when ingest reads a raw record again after a crash, the
// message that it then produces comes from the same source, and track drops it as an echo, whatever its label. The
// counting, the books and the restart points of ingest do not depend on labels. So the state of track and roll is still
// a pure function of their logs, panes equal the recount of the mentions, and the books balance after any crash. What no longer holds is
// that computing everything anew from the raw topics, into an empty database, gives the same labels: the figures are
// then those of the classifier's answers of that day. mentions.model tells which rows to compare.
package remote
