CREATE SCHEMA "messenger";
--> statement-breakpoint
CREATE TABLE "messenger"."conversations" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "messenger"."conversations_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"first_id" integer NOT NULL,
	"second_id" integer NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "conversations_pair" UNIQUE("first_id","second_id"),
	CONSTRAINT "conversations_order" CHECK ("messenger"."conversations"."first_id" <= "messenger"."conversations"."second_id")
);
--> statement-breakpoint
CREATE TABLE "messenger"."deliveries" (
	"account_id" integer NOT NULL,
	"seq" bigint NOT NULL,
	"kind" smallint NOT NULL,
	"message_id" bigint NOT NULL,
	"details" jsonb,
	CONSTRAINT "deliveries_account_id_seq_pk" PRIMARY KEY("account_id","seq")
);
--> statement-breakpoint
CREATE TABLE "messenger"."images" (
	"message_id" bigint PRIMARY KEY NOT NULL,
	"media_type" text NOT NULL,
	"prefix" text NOT NULL,
	"bytes" "bytea" NOT NULL,
	"encoded" text
);
--> statement-breakpoint
CREATE TABLE "messenger"."inboxes" (
	"account_id" integer PRIMARY KEY NOT NULL,
	"last_seq" bigint DEFAULT 0 NOT NULL,
	"last_at" timestamp with time zone DEFAULT now() NOT NULL,
	"presence_version" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "messenger"."instances" (
	"id" uuid PRIMARY KEY NOT NULL,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "messenger"."messages" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "messenger"."messages_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"conversation_id" bigint NOT NULL,
	"sender_id" integer NOT NULL,
	"receiver_id" integer NOT NULL,
	"type" text NOT NULL,
	"content" text NOT NULL,
	"file_name" text,
	"file_size" integer,
	"at" timestamp with time zone NOT NULL,
	"read_at" timestamp with time zone,
	"deleted_at" timestamp with time zone,
	"client_id" text,
	"session_id" uuid
);
--> statement-breakpoint
CREATE TABLE "messenger"."presence" (
	"account_id" integer NOT NULL,
	"instance_id" uuid NOT NULL,
	CONSTRAINT "presence_account_id_instance_id_pk" PRIMARY KEY("account_id","instance_id")
);
--> statement-breakpoint
DROP INDEX "identity"."audit_account";--> statement-breakpoint
DROP INDEX "platform"."jobs_newest";--> statement-breakpoint
DROP INDEX "logger"."ping_events_service";--> statement-breakpoint
ALTER TABLE "messenger"."conversations" ADD CONSTRAINT "conversations_first_id_accounts_id_fk" FOREIGN KEY ("first_id") REFERENCES "identity"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messenger"."conversations" ADD CONSTRAINT "conversations_second_id_accounts_id_fk" FOREIGN KEY ("second_id") REFERENCES "identity"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messenger"."images" ADD CONSTRAINT "images_message_id_messages_id_fk" FOREIGN KEY ("message_id") REFERENCES "messenger"."messages"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messenger"."inboxes" ADD CONSTRAINT "inboxes_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "identity"."accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messenger"."messages" ADD CONSTRAINT "messages_conversation_id_conversations_id_fk" FOREIGN KEY ("conversation_id") REFERENCES "messenger"."conversations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messenger"."presence" ADD CONSTRAINT "presence_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "identity"."accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messenger"."presence" ADD CONSTRAINT "presence_instance_id_instances_id_fk" FOREIGN KEY ("instance_id") REFERENCES "messenger"."instances"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "conversations_second" ON "messenger"."conversations" USING btree ("second_id");--> statement-breakpoint
CREATE UNIQUE INDEX "messages_client_id" ON "messenger"."messages" USING btree ("sender_id","client_id") WHERE client_id is not null;--> statement-breakpoint
CREATE INDEX "messages_conversation" ON "messenger"."messages" USING btree ("conversation_id","at");--> statement-breakpoint
CREATE INDEX "messages_unread" ON "messenger"."messages" USING btree ("receiver_id","sender_id") WHERE read_at is null and deleted_at is null;--> statement-breakpoint
CREATE INDEX "messages_at" ON "messenger"."messages" USING brin ("at");--> statement-breakpoint
CREATE INDEX "audit_account" ON "identity"."audit" USING btree ("account_id","id");--> statement-breakpoint
CREATE INDEX "jobs_newest" ON "platform"."jobs" USING btree ("kind","created_at");--> statement-breakpoint
CREATE INDEX "ping_events_service" ON "logger"."ping_events" USING btree ("service_id","at");