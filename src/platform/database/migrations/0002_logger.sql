CREATE SCHEMA "logger";
--> statement-breakpoint
CREATE TABLE "logger"."alert_marks" (
	"project_id" integer NOT NULL,
	"channel" text NOT NULL,
	"recipient" text NOT NULL,
	"tag" text NOT NULL,
	"told_at" timestamp with time zone NOT NULL,
	"suppressed" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "logger"."blacklist" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "logger"."blacklist_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"ip" text NOT NULL,
	"reason" text NOT NULL,
	"expires_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "blacklist_ip_unique" UNIQUE("ip")
);
--> statement-breakpoint
CREATE TABLE "logger"."outbox" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "logger"."outbox_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"project_id" integer NOT NULL,
	"channel" text NOT NULL,
	"recipient" text NOT NULL,
	"notice" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp with time zone DEFAULT now() NOT NULL,
	"claimed_until" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "logger"."ping_buckets" (
	"service_id" integer NOT NULL,
	"start" timestamp with time zone NOT NULL,
	"ok" integer NOT NULL,
	"degraded" integer NOT NULL,
	"down" integer NOT NULL,
	"unknown" integer NOT NULL,
	"total_ms" bigint NOT NULL,
	"most_ms" integer NOT NULL,
	CONSTRAINT "ping_buckets_service_id_start_pk" PRIMARY KEY("service_id","start")
);
--> statement-breakpoint
CREATE TABLE "logger"."ping_events" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "logger"."ping_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"service_id" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"status" text NOT NULL,
	"error" text
);
--> statement-breakpoint
CREATE TABLE "logger"."ping_services" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "logger"."ping_services_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"project_id" integer NOT NULL,
	"name" text NOT NULL,
	"url" text NOT NULL,
	"interval" integer NOT NULL,
	"telegram_tags" text[] NOT NULL,
	"last_status" text,
	"last_checked_at" timestamp with time zone,
	"last_response_time_ms" integer,
	"last_error" text,
	"certificate_expires_at" timestamp with time zone,
	"certificate_announced" integer,
	"failures" integer DEFAULT 0 NOT NULL,
	"is_down" boolean DEFAULT false NOT NULL,
	"next_check_at" timestamp with time zone NOT NULL,
	"claimed_until" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "logger"."projects" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "logger"."projects_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"uuid" text DEFAULT gen_random_uuid()::text NOT NULL,
	"name" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"log_format" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"default_tags" text[] NOT NULL,
	"custom_tags" text[] NOT NULL,
	"access_level" text DEFAULT 'global' NOT NULL,
	"telegram_notify" jsonb NOT NULL,
	"email_notify" jsonb NOT NULL,
	"webhook_notify" jsonb,
	"debug_mode" boolean DEFAULT false NOT NULL,
	"max_log_entries" integer DEFAULT 0 NOT NULL,
	"retention_days" integer DEFAULT 0 NOT NULL,
	"entries" bigint,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "projects_uuid_unique" UNIQUE("uuid")
);
--> statement-breakpoint
CREATE TABLE "logger"."settings" (
	"key" text PRIMARY KEY NOT NULL,
	"value" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "logger"."whitelist" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "logger"."whitelist_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"ip" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "whitelist_ip_unique" UNIQUE("ip")
);
--> statement-breakpoint
ALTER TABLE "logger"."alert_marks" ADD CONSTRAINT "alert_marks_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "logger"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "logger"."outbox" ADD CONSTRAINT "outbox_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "logger"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "logger"."ping_buckets" ADD CONSTRAINT "ping_buckets_service_id_ping_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "logger"."ping_services"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "logger"."ping_events" ADD CONSTRAINT "ping_events_service_id_ping_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "logger"."ping_services"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "logger"."ping_services" ADD CONSTRAINT "ping_services_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "logger"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "alert_marks_key" ON "logger"."alert_marks" USING btree ("project_id","channel","recipient","tag");--> statement-breakpoint
CREATE INDEX "outbox_due" ON "logger"."outbox" USING btree ("channel","recipient","id");--> statement-breakpoint
CREATE INDEX "ping_events_service" ON "logger"."ping_events" USING btree ("service_id","at" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "ping_services_project" ON "logger"."ping_services" USING btree ("project_id");--> statement-breakpoint
CREATE INDEX "ping_services_due" ON "logger"."ping_services" USING btree ("next_check_at");