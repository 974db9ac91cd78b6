-- Row ids of logs come in blocks of a thousand: each instance numbers the rows of its block by itself.
CREATE SEQUENCE "logger"."log_blocks";
--> statement-breakpoint
CREATE TABLE "logger"."logs" (
	"id" bigint NOT NULL,
	"project_id" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"level" text NOT NULL,
	"message" text NOT NULL,
	"tags" text[] NOT NULL,
	"metadata" jsonb NOT NULL,
	"client_ip" text
) PARTITION BY RANGE ("at");
--> statement-breakpoint
CREATE INDEX "logs_project" ON "logger"."logs" USING btree ("project_id", "at", "id");
--> statement-breakpoint
CREATE INDEX "logs_tags" ON "logger"."logs" USING gin ("tags");
