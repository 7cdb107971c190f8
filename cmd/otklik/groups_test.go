package main

import (
	"context"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"otklik/cmd/otklik/internal/config"
	"otklik/stream"
)

// groups looks after the consumer groups of engines that were killed.
type groups struct{ client *kafkago.Client }

func newGroups(broker string) *groups {
	return &groups{client: &kafkago.Client{Addr: kafkago.TCP(broker), Timeout: 10 * time.Second}}
}

// forget removes the members that a killed engine has left behind in its groups, as the end of their sessions would.
func (g *groups) forget(ctx context.Context, cfg *config.Config) error {
	for _, stage := range stream.Stages {
		id := cfg.Kafka.Group(stage)
		found, err := g.client.DescribeGroups(ctx, &kafkago.DescribeGroupsRequest{GroupIDs: []string{id}})
		if err != nil {
			return fmt.Errorf("describe group %s: %w", id, err)
		}
		for _, group := range found.Groups {
			for _, member := range group.Members {
				left, err := g.client.LeaveGroup(ctx, &kafkago.LeaveGroupRequest{
					GroupID: id, Members: []kafkago.LeaveGroupRequestMember{{ID: member.MemberID}},
				})
				if err != nil {
					return fmt.Errorf("leave group %s: %w", id, err)
				}
				if left.Error != nil {
					return fmt.Errorf("leave group %s: %w", id, left.Error)
				}
			}
		}
	}
	return nil
}
