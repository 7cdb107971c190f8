-- Views for dashboards: single posts, voices and waits without who wrote them. An author, a customer and a conversation appear
-- as a number that tells them apart and leads nowhere.

CREATE OR REPLACE VIEW {{view "voices"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue that the item names',
    published_at DateTime64(3, 'UTC') COMMENT 'When the platform says the first version was published',
    platform LowCardinality(String) COMMENT 'Social platform',
    kind LowCardinality(String) COMMENT 'post, comment, repost or edit',
    label Enum8('unlabelled' = 0, 'positive' = 1, 'neutral' = 2, 'negative' = 3) COMMENT 'Sentiment towards the brand; unlabelled where the classifier does not know the language',
    products Array(LowCardinality(String)) COMMENT 'Products of the catalogue that the item names, sorted',
    severity UInt8 COMMENT '0 none to 3 most severe, from the words of the catalogue',
    advocacy Bool COMMENT 'Spreads the official presence of the brand',
    needs_answer Bool COMMENT 'A message that the brand ought to answer',
    followers Nullable(Int64) COMMENT 'Followers of the author when the item was delivered; NULL when not stated',
    voice UInt64 COMMENT 'Tells authors apart without naming them; an erased item is a voice of its own',
    conversation UInt64 COMMENT 'Tells conversations apart without naming their people'
)
{{definer}} AS SELECT brand, published_at, platform, kind, label, products, severity, advocacy, needs_answer, followers,
    sipHash64(platform, if(author_id = '', concat('item ', item_id), author_id)) AS voice, sipHash64(platform, thread) AS conversation
FROM {{store "mentions"}} FINAL
WHERE role = 'customer'
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Mentions by customers as voices: one row is one item and one brand that it names, without text and author';

CREATE OR REPLACE VIEW {{view "posts"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue that the item names',
    published_at DateTime64(3, 'UTC') COMMENT 'When the platform says the first version was published',
    platform LowCardinality(String) COMMENT 'Social platform',
    item_id String COMMENT 'Identity of the item on its platform, the same for all its versions',
    kind LowCardinality(String) COMMENT 'post, comment, repost or edit',
    label Enum8('unlabelled' = 0, 'positive' = 1, 'neutral' = 2, 'negative' = 3) COMMENT 'Sentiment towards the brand; unlabelled where the classifier does not know the language',
    negative_score Float32 COMMENT 'Calibrated probability of negative',
    products Array(LowCardinality(String)) COMMENT 'Products of the catalogue that the item names, sorted',
    severity UInt8 COMMENT '0 none to 3 most severe, from the words of the catalogue',
    question Bool COMMENT 'Asks something',
    complaint Bool COMMENT 'Complains: negative and about the service, or severe',
    needs_answer Bool COMMENT 'A message that the brand ought to answer',
    followers Nullable(Int64) COMMENT 'Followers of the author when the item was delivered; NULL when not stated',
    voice UInt64 COMMENT 'Tells authors apart without naming them; an erased item is a voice of its own',
    conversation UInt64 COMMENT 'Tells conversations apart without naming their people',
    text String COMMENT 'Plain text; emptied with the text retention or when the platform deletes the item',
    lang LowCardinality(String) COMMENT 'BCP 47 language as the platform states it; empty when it does not',
    url String COMMENT 'Address of the item; empty when unknown or erased'
)
{{definer}} AS SELECT brand, published_at, platform, item_id, kind, label, negative_score, products, severity, question, complaint,
    needs_answer, followers, sipHash64(platform, if(author_id = '', concat('item ', item_id), author_id)) AS voice,
    sipHash64(platform, thread) AS conversation, text, lang, url
FROM {{store "mentions"}} FINAL
WHERE role = 'customer'
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Mentions by customers with text and address and without author: what the desk reads. The only view with texts that dashboards may read';

CREATE OR REPLACE VIEW {{view "waits"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    item_id String COMMENT 'Earliest customer message that was unanswered: what the request is',
    since DateTime64(3, 'UTC') COMMENT 'When that message was published: the time a request is counted at',
    answered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the answer that ended the wait was published; NULL while unanswered',
    waiting_seconds Nullable(Float64) COMMENT 'answered_at minus since, calendar clock; NULL while unanswered',
    business_seconds Nullable(Float64) COMMENT 'The same wait on the business clock of the desk; NULL while unanswered',
    is_first Bool COMMENT 'The wait opens a cycle of a case: its time is a first response time',
    voice UInt64 COMMENT 'Tells customers apart without naming them, by the same number as in voices; an unknown customer is a voice of its own',
    conversation UInt64 COMMENT 'Tells conversations apart, by the same number as in voices'
)
{{definer}} AS SELECT brand, platform, waiting_id AS item_id, assumeNotNull(waiting_since) AS since, response_at AS answered_at,
    waiting_seconds, business_seconds, is_first,
    sipHash64(platform, if(customer_id = '', concat('item ', waiting_id), customer_id)) AS voice, sipHash64(platform, thread) AS conversation
FROM {{store "responses"}} FINAL
WHERE waiting_id != ''
COMMENT 'Requests of customers and how long each waited: one row is one customer turn that needed an answer, without the customer';
