"""The configs: what is predicted, from which columns, how, and which limits a model must meet to be published.

Copy one of the configs below, name your own columns, and run it with `python local_runner.py --config NAME
--feed-log DIR`. The files of `ranker/config/` explain every field.
"""

from dataclasses import replace

from pipeline.config import (
    Categorical,
    DenseEmbedding,
    Exploration,
    Exposure,
    Features,
    Forest,
    Gate,
    Gates,
    Guardrail,
    MultiValued,
    Objective,
    PipelineConfig,
    SearchSpace,
    Towers,
    TradeOff,
    Training,
    UtilityGate,
)

FEED = PipelineConfig(
    name="feed",
    objectives=(
        Objective("click", tower="passive", utility_weight=1.0),
        Objective("long_dwell", tower="passive", utility_weight=2.0),
        Objective("like", tower="active", utility_weight=1.0),
        Objective("comment", tower="active", utility_weight=5.0),
        Objective("reshare", tower="active", utility_weight=8.0),
        Objective("creator_reply", tower="active", utility_group="other", utility_weight=10.0),
    ),
    features=Features(
        numeric=(
            # context
            "hour_local",
            "hours_since_last_visit",
            # viewer
            "viewer_connections",
            "viewer_tenure_days",
            "viewer_sessions_7d",
            "viewer_ctr_30d",
            "viewer_like_rate_30d",
            "viewer_comment_rate_90d",
            "viewer_dwell_median_s",
            "viewer_scroll_depth_30d",
            # author
            "author_followers",
            "author_posts_30d",
            "author_engagement_rate_30d",
            "author_reply_rate_90d",
            # item
            "item_age_hours",
            "item_impressions",
            "item_likes",
            "item_comments",
            "item_reshares",
            "item_quality_score",
            "content_length",
            "asks_question",
            "topic_trend",
            # viewer × item and viewer × author
            "viewer_topic_match",
            "interactions_90d",
            "days_since_interaction",
            "mutual_connections",
            "same_industry",
        ),
        categorical=(
            Categorical("device"),
            Categorical("surface"),
            Categorical("day_of_week"),
            Categorical("viewer_country"),
            Categorical("viewer_industry"),
            Categorical("viewer_seniority"),
            Categorical("author_type"),
            Categorical("content_type"),
            Categorical("connection_degree"),
        ),
        multi_valued=(MultiValued("viewer_interests"), MultiValued("item_topics")),
        dense=(DenseEmbedding("content_embedding", size=32),),
        exposure=(Exposure("position", default=1.0),),
    ),
    exploration=Exploration(randomised="is_randomised", propensity="propensity"),
    # More active engagement, for at most 1 % of the passive one. An arm of this small feed has few viewers.
    tradeoff=TradeOff(
        maximize={"like": 1.0, "comment": 5.0, "reshare": 8.0},
        guardrails=(Guardrail("click", min_change=-0.01), Guardrail("long_dwell", min_change=-0.01)),
        search=SearchSpace(
            alpha=(0.05, 0.95),
            lambda_=(0.01, 1.0),
            weights={"long_dwell": 8.0, "like": 8.0, "comment": 8.0, "reshare": 8.0},
        ),
        min_viewers=30,
    ),
    # The feed's labels are drawn from smooth probabilities, for which less distillation is enough.
    training=Training(distillation_half_positives=2_000),
    schema="schemas/feed.pbtxt",
    slices=(("device",), ("content_type",), ("connection_degree",)),
    gates=Gates(
        objective=Gate(
            min_auc=0.55,
            o_over_e=(0.8, 1.25),
            max_auc_drop=0.01,
            max_gauc_drop=0.02,
            max_calibration_worsening=0.1,
        ),
        slice=Gate(max_normalized_entropy=None, o_over_e=(0.5, 2.0), max_auc_drop=0.05),
        utility=UtilityGate(max_utility_drop=0.02, max_ndcg_drop=0.01),
    ),
)
"""The built-in feed, which `python -m datasets.synthetic` simulates."""

FIRST_PASS = replace(
    FEED,
    name="feed-first-pass",
    forest=Forest(trees=90, depth=4),
    towers=Towers(leaf_embedding_size=4, hidden=(16,), dense_projection_size=4, cross_rank=32, members=1),
)
"""A small model of the same feed, for choosing which of many candidates `FEED` ranks."""

KUAIRAND = PipelineConfig(
    name="kuairand",
    objectives=(
        Objective("click", tower="passive", utility_weight=1.0),
        Objective("long_view", tower="passive", utility_weight=2.0),
        Objective("profile_enter", tower="active", utility_weight=1.0),
        Objective("like", tower="active", utility_weight=2.0),
        Objective("comment", tower="active", utility_weight=5.0),
        Objective("follow", tower="active", utility_weight=8.0),
        Objective("forward", tower="active", utility_weight=8.0),
        # Bad for the viewer: it lowers the score of a candidate.
        Objective("hate", tower="active", utility_weight=-8.0),
    ),
    features=Features(
        numeric=(
            # context
            "hour",
            "hours_since_previous_session",
            # user
            "follow_user_num",
            "fans_user_num",
            "friend_user_num",
            "register_days",
            # video
            "duration_s",
            "video_age_days",
            "video_width",
            "video_height",
            "video_aspect",
            # earlier days of the user, the video, …
            *(
                f"{entity}_{objective}_rate"
                for entity in ("user", "video", "author", "tag", "tab")
                for objective in ("click", "long_view", "profile_enter", "like", "comment", "follow", "forward")
            ),
            *(
                f"{entity}_{outcome}"
                for entity in ("user", "video", "author", "tag")
                for outcome in ("hate_rate", "mean_play_ratio")
            ),
            # … and of pairs of them
            *(
                f"{pair}_{outcome}"
                for pair in ("user_author", "user_tag", "user_tab", "user_duration", "video_tab")
                for outcome in ("click_rate", "long_view_rate", "mean_play_ratio")
            ),
            *(
                f"{entity_or_pair}_{count}"
                for entity_or_pair in (
                    *("user", "video", "author", "tag", "tab"),
                    *("user_author", "user_tag", "user_tab", "user_duration", "video_tab"),
                )
                for count in ("impressions", "days_since_seen")
            ),
        ),
        categorical=(
            Categorical("tab"),
            Categorical("day_of_week"),
            Categorical("user_active_degree"),
            Categorical("is_live_streamer"),
            Categorical("is_video_author"),
            *(Categorical(f"onehot_feat{i}") for i in range(18)),
            Categorical("video_type"),
            Categorical("upload_type"),
            Categorical("music_type"),
        ),
        multi_valued=(MultiValued("tags"),),
        # An app that ranks the whole session at once knows it only afterwards; see docs/features.md.
        exposure=(Exposure("session_position", default=0.0),),
    ),
    schema="schemas/kuairand.pbtxt",
    slices=(("tab",), ("user_active_degree",)),
    # The sample's first day has no earlier day to take rates from: eight days before 4 May leave it out.
    train_days=8,
    # Up to 200 rounds; most objectives stop long before.
    forest=Forest(trees=1600),
    # A third epoch, which the number of its impressions would choose, did not help.
    training=Training(epochs=2),
)
"""The public log KuaiRand-Pure, which `python -m datasets.kuairand` converts."""

CONFIGS = {"feed": FEED, "feed-first-pass": FIRST_PASS, "kuairand": KUAIRAND}
