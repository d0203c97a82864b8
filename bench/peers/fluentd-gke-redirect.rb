# Loaded into fluentd by fluentd-gke.ts: fluent-plugin-google-cloud has no option for the address of
# its REST endpoint, nor for doing without Google's credentials. Nothing that costs is changed.

require 'google/apis/logging_v2'
require 'googleauth'

Google::Apis::LoggingV2::LoggingService.prepend(
  Module.new do
    def initialize
      super
      self.root_url = "#{ENV.fetch('TAILSHIP_BENCH_ENDPOINT')}/"
    end
  end
)

Google::Auth.singleton_class.prepend(
  Module.new do
    def get_application_default(*)
      Signet::OAuth2::Client.new(access_token: 'bench', expires_at: Time.now + 86_400)
    end
  end
)
