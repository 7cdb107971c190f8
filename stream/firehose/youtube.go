package firehose

import (
	"strings"

	"otklik/stream"
)

// YouTube: resources of the Data API v3, alone or as the items of a list response
// (https://developers.google.com/youtube/v3/docs). The thread is the top-level comment; a reply's id begins with its
// thread's. A comment that was updated after it was published is an edit.

func (d *Decoder) youtube(record value) {
	if record.array() {
		for element := range record.elements {
			d.youtubeResource(element)
		}
		return
	}
	d.youtubeResource(record)
}

// resource holds the members of any resource.
type resource struct {
	kind, id, snippet, statistics, replies, items, fault value
}

func (r *resource) read(v value) {
	for key, m := range v.members {
		switch key {
		case "kind":
			r.kind = m
		case "id":
			r.id = m
		case "snippet":
			r.snippet = m
		case "statistics":
			r.statistics = m
		case "replies":
			r.replies = m
		case "items":
			r.items = m
		case "error":
			r.fault = m
		}
	}
}

func (d *Decoder) youtubeResource(v value) {
	var r resource
	r.read(v)
	kind, _ := strings.CutPrefix(r.kind.inner(), "youtube#")
	switch {
	case r.fault.filled():
		d.errorResponse(r.fault)
	case r.items.array():
		n := len(d.items) + len(d.faults)
		for element := range r.items.elements {
			d.youtubeResource(element)
		}
		if n == len(d.items)+len(d.faults) {
			d.note(stream.Other, "no items")
		}
	case kind == "commentThread":
		d.commentThread(&r)
	case kind == "comment":
		d.youtubeComment(&r, "", "")
	case kind == "channel":
		d.channel(&r)
	case kind == "video":
		d.video(&r, r.id.id())
	case kind == "searchResult":
		if video := r.id.get("videoId").id(); video != "" {
			d.video(&r, video)
			return
		}
		d.note(stream.Other, "searchResult "+d.name(r.id.get("kind")))
	case kind != "":
		d.note(stream.Other, kind)
	case r.snippet.get("topLevelComment").object():
		d.commentThread(&r)
	case r.snippet.get("textDisplay").there() || r.snippet.get("textOriginal").there():
		d.youtubeComment(&r, "", "")
	}
}

// commentThread adds the top-level comment of a thread and those of its answers that the thread holds.
func (d *Decoder) commentThread(r *resource) {
	var top, video, channel value
	for key, m := range r.snippet.members {
		switch key {
		case "topLevelComment":
			top = m
		case "videoId":
			video = m
		case "channelId":
			channel = m
		}
	}
	if !top.object() {
		d.rejectf("no_id", "commentThread %s without its topLevelComment: ask for the part snippet", r.id.id())
		return
	}
	root, wall := video.id(), channel.id()
	var c resource
	c.read(top)
	d.youtubeComment(&c, root, wall)
	for reply := range r.replies.get("comments").elements {
		var c resource
		c.read(reply)
		d.youtubeComment(&c, root, wall)
	}
}

// youtubeComment adds a comment; video and channel are those of its thread, where it came in one.
func (d *Decoder) youtubeComment(r *resource, video, channel string) {
	it := d.blank(stream.Comment)
	it.ID = r.id.id()
	var original, display, published, updated, parent value
	for key, m := range r.snippet.members {
		switch key {
		case "authorDisplayName":
			it.AuthorName = d.name(m)
			if strings.HasPrefix(it.AuthorName, "@") {
				it.Author.Name = it.AuthorName[1:]
			}
		case "authorChannelId":
			it.Author.ID = m.get("value").id()
		case "channelId":
			channel = orElse(channel, m.id())
		case "videoId":
			video = orElse(video, m.id())
		case "textOriginal":
			original = m
		case "textDisplay":
			display = m
		case "parentId":
			parent = m
		case "likeCount":
			it.Likes = m.count()
		case "publishedAt":
			published = m
		case "updatedAt":
			updated = m
		}
	}
	it.PublishedAt, _ = moment(published)
	if original.stated() {
		it.Text = d.text(original, MaxText)
	} else {
		it.Text = d.htmlText(display)
	}
	top := parent.id()
	if top == "" {
		top, _, _ = strings.Cut(it.ID, ".")
	}
	if top != "" {
		it.Thread = "youtube:" + top
	}
	it.RootID = video
	it.Wall.ID = channel
	it.Community = it.Author.ID != "" && it.Author.ID == channel
	if it.ParentID = video; top != it.ID {
		it.ParentID = top
	}
	if video != "" {
		it.URL = "https://www.youtube.com/watch?v=" + video + "&lc=" + it.ID
	}
	at, _ := moment(updated)
	edited(&it, at)
	d.add(&it, published)
}

// video adds a video as a post of its channel, or a reading of its counters where only those were asked for.
func (d *Decoder) video(r *resource, number string) {
	it := d.blank(stream.Post)
	it.ID = number
	it.URL = "https://www.youtube.com/watch?v=" + number
	var title, description, published value
	for key, m := range r.snippet.members {
		switch key {
		case "title":
			title = m
		case "description":
			description = m
		case "publishedAt":
			published = m
		case "channelId":
			it.Author.ID = m.id()
		case "channelTitle":
			it.AuthorName = d.name(m)
		case "defaultAudioLanguage":
			it.Lang = m.id()
		case "defaultLanguage":
			it.Lang = orElse(it.Lang, m.id())
		}
	}
	d.youtubeCounts(&it, r.statistics)
	if !r.snippet.object() {
		it.Kind = stream.Statistics
	} else {
		it.PublishedAt, _ = moment(published)
		it.Community = true
		it.Wall = it.Author
		it.Text = joinText(d.text(title, MaxText), d.text(description, MaxText))
	}
	d.add(&it, published)
}

// channel adds a reading of a channel's counters, at the time of arrival.
func (d *Decoder) channel(r *resource) {
	if !r.statistics.filled() {
		d.note(stream.Other, "channel")
		return
	}
	it := d.blank(stream.Statistics)
	it.ID = r.id.id()
	it.Wall = stream.Account{ID: it.ID, Name: d.handle(r.snippet.get("customUrl"))}
	it.Author = it.Wall
	it.AuthorName = d.name(r.snippet.get("title"))
	it.Community = true
	it.URL = "https://www.youtube.com/channel/" + it.ID
	d.youtubeCounts(&it, r.statistics)
	d.add(&it, value{})
}

// youtubeCounts reads the counters of a video or channel; the API writes them as strings.
func (d *Decoder) youtubeCounts(it *stream.Item, v value) {
	hidden := false
	for key, m := range v.members {
		switch key {
		case "viewCount":
			it.Views = m.count()
		case "likeCount":
			it.Likes = m.count()
		case "subscriberCount":
			it.Members = m.count()
		case "hiddenSubscriberCount":
			hidden = m.yes()
		}
	}
	if hidden {
		it.Members = 0
	}
}

// joinText puts a title above a text.
func joinText(title, text string) string {
	title, text = strings.TrimSpace(title), strings.TrimSpace(text)
	switch {
	case title == "" || title == text:
		return text
	case text == "":
		return title
	}
	return cut(title+"\n\n"+text, MaxText)
}
