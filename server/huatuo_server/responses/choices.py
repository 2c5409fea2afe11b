"""Scored options -> the answer of `POST /v1/chat/choices`."""

from __future__ import annotations

from huatuo_server.protocol.choices_response import ChatChoices, ChoiceToken, WeighedChoice
from huatuo_server.responses.heading import Heading
from huatuo_server.scoring import ScoredOption, Scores, softmax

NOTE = "A probability under the model, not calibrated: it does not say how often the model is right."


def weighed(scores: Scores, heading: Heading) -> ChatChoices:
    """The whole answer."""
    by_sum = softmax([one.logprob_sum for one in scores.options])
    by_mean = softmax([one.logprob_mean for one in scores.options])
    answer = ChatChoices(
        id=heading.id,
        object="chat.choices",
        created=heading.created,
        model=heading.model,
        system_fingerprint=heading.system_fingerprint,
        choices=[_choice(index, one, by_sum[index], by_mean[index]) for index, one in enumerate(scores.options)],
        best=by_sum.index(max(by_sum)),
        note=NOTE,
        usage=heading.usage(scores.num_tokens, scores.num_cached_tokens),
        images=list(heading.images),
        ignored_fields=list(heading.ignored_fields),
    )
    if heading.demo is not None:
        answer["demo"] = heading.demo
    return answer


def _choice(index: int, one: ScoredOption, probability: float, probability_mean: float) -> WeighedChoice:
    tokens = zip(one.option.token_ids, one.logprobs, strict=True)
    return WeighedChoice(
        index=index,
        text=one.option.text,
        logprob_sum=one.logprob_sum,
        logprob_mean=one.logprob_mean,
        probability=probability,
        probability_mean=probability_mean,
        tokens=[ChoiceToken(id=token_id, logprob=logprob) for token_id, logprob in tokens],
    )
