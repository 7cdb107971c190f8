// Package webhook hands alert messages to HTTP receivers: as JSON with a signature, to Slack and what understands its messages, and to a
// Telegram bot.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"otklik/stream/alert"
)

// The headers of a JSON message. The signature is "t=SECONDS,v1=HEX", HEX the HMAC-SHA-256 of SECONDS, a dot and the body: a receiver
// computes it with the shared secret and refuses what differs or is old. The key is that of the episode and the event: a receiver
// that has seen it before has the message already.
const (
	HeaderSignature = "Otklik-Signature"
	HeaderKey       = "Otklik-Key"
)

// Kind is the form that a receiver understands.
type Kind string

// The kinds.
const (
	JSON     Kind = "json"
	Slack    Kind = "slack"
	Telegram Kind = "telegram"
)

// TelegramAPI is the address of Telegram's bot interface.
const TelegramAPI = "https://api.telegram.org"

// Config of a receiver.
type Config struct {
	Kind   Kind
	URL    string // of the receiver; for Telegram of the bot interface, default TelegramAPI
	Secret string // JSON: key of the signature, "" for none; Telegram: token of the bot
	Chat   string // Telegram: id or @name of the chat
	Client *http.Client
	Now    func() time.Time
}

// Hook sends messages to one receiver; safe for concurrent use.
type Hook struct {
	cfg     Config
	address string
}

// New returns a hook, or what is wrong with its configuration.
func New(cfg Config) (*Hook, error) {
	if cfg.Client == nil {
		// A receiver that redirects would get the message without its signature having been meant for it.
		cfg.Client = &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Hook{cfg: cfg, address: cfg.URL}
	switch cfg.Kind {
	case JSON, Slack:
	case Telegram:
		if cfg.Chat == "" || cfg.Secret == "" {
			return nil, errors.New("webhook: Telegram needs the token of a bot and a chat")
		}
		base := cfg.URL
		if base == "" {
			base = TelegramAPI
		}
		h.address = strings.TrimRight(base, "/") + "/bot" + cfg.Secret + "/sendMessage"
	default:
		return nil, fmt.Errorf("webhook: kind %q is not known: use json, slack or telegram", cfg.Kind)
	}
	u, err := url.Parse(h.address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("webhook: the address is not one of HTTP: give https://host/path") // it may hold a secret: not shown
	}
	return h, nil
}

// Send hands a message over: nil means that the receiver answered with a status of success. Errors do not show the address, which
// may hold a secret.
func (h *Hook) Send(ctx context.Context, m *alert.Message) error {
	body, err := h.body(m)
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.address, bytes.NewReader(body))
	if err != nil {
		return errors.New("webhook: the address is not valid")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "otklik")
	req.Header.Set(HeaderKey, m.ID+" "+string(m.Event))
	if h.cfg.Kind == JSON && h.cfg.Secret != "" {
		req.Header.Set(HeaderSignature, Sign(h.cfg.Secret, h.cfg.Now(), body))
	}
	resp, err := h.cfg.Client.Do(req)
	if err != nil {
		if withAddress, ok := errors.AsType[*url.Error](err); ok {
			err = withAddress.Err
		}
		return fmt.Errorf("webhook: %w", err)
	}
	answer, readErr := io.ReadAll(io.LimitReader(resp.Body, 512))
	closeErr := resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("webhook: the receiver answers %s: %s", resp.Status, strings.TrimSpace(string(answer)))
	}
	if err := errors.Join(readErr, closeErr); err != nil && ctx.Err() != nil {
		return fmt.Errorf("webhook: read the answer: %w", err)
	}
	return nil
}

func (h *Hook) body(m *alert.Message) ([]byte, error) {
	var value any = m
	switch h.cfg.Kind {
	case Slack:
		value = map[string]string{"text": Text(m, slackEscape)}
	case Telegram:
		value = map[string]any{"chat_id": h.cfg.Chat, "text": Text(m, html.EscapeString), "parse_mode": "HTML", "link_preview_options": map[string]bool{"is_disabled": true}}
	case JSON:
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Sign returns the signature of a body at a moment.
func Sign(secret string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// slackEscape escapes what Slack takes for mark-up.
func slackEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// longestText is how much of a sample is shown.
const longestText = 280

// Text returns a message for people: the summary and the samples, texts escaped for the receiver.
func Text(m *alert.Message, escape func(string) string) string {
	var b strings.Builder
	b.WriteString(escape(m.Summary))
	if m.Why == nil {
		return b.String()
	}
	for i := range m.Why.Samples {
		s := &m.Why.Samples[i]
		text := []rune(strings.Join(strings.Fields(s.Text), " "))
		if len(text) > longestText {
			text = append(text[:longestText], '…')
		}
		fmt.Fprintf(&b, "\n\n%s, %s (%d followers): %s", escape(s.Author), s.Platform, s.Followers, escape(string(text)))
		if s.URL != "" {
			b.WriteString("\n" + escape(s.URL))
		}
	}
	return b.String()
}
