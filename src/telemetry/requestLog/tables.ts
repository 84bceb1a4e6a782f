/** The tables of the request log. */
import type { Component } from "../../store/Store.ts"

export const component: Component = {
  name: "request_logs",
  migrations: [
    `CREATE TABLE request_logs (
      id TEXT PRIMARY KEY,
      started_at BIGINT NOT NULL,
      completed_at BIGINT NOT NULL,
      duration_ms DOUBLE PRECISION NOT NULL,
      protocol TEXT NOT NULL,
      trace_id TEXT,
      span_id TEXT,
      sluice_id TEXT,
      http_status BIGINT,
      reason TEXT NOT NULL,
      error TEXT,
      gen_ai_operation_name TEXT,
      gen_ai_provider_name TEXT,
      gen_ai_request_model TEXT,
      gen_ai_response_model TEXT,
      input_tokens BIGINT,
      output_tokens BIGINT,
      total_tokens BIGINT,
      cost DOUBLE PRECISION,
      agentgateway_user TEXT,
      agentgateway_group TEXT,
      user_agent_name TEXT,
      has_payload BIGINT NOT NULL,
      attributes_json TEXT NOT NULL,
      story_json TEXT
    );
    CREATE INDEX request_logs_started ON request_logs (started_at, id);
    CREATE INDEX request_logs_completed ON request_logs (completed_at, id);
    CREATE INDEX request_logs_trace ON request_logs (trace_id);
    CREATE INDEX request_logs_name ON request_logs (sluice_id);
    CREATE TABLE request_log_payloads (
      log_id TEXT PRIMARY KEY REFERENCES request_logs (id) ON DELETE CASCADE,
      request_prompt_json TEXT,
      response_completion_json TEXT
    )`,
  ],
}
